"""Calls ``incorta-dr`` as a person at a terminal does."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

from incorta_provider.exceptions import ConfigurationError
from lab.layout import Lab

SECONDS = 120


@dataclass(frozen=True, slots=True)
class Output:
    """How a command ended and what it said."""

    status: int
    text: str


def incorta_dr(lab: Lab, *arguments: str) -> Output:
    """Run one command of ``incorta-dr`` on the lab's topology and connections."""
    files = ["--connections", str(lab.connections_file), "--topology", str(lab.topology_file)]
    done = subprocess.run(
        [sys.executable, "-m", "incorta_provider.cli", *files, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return Output(done.returncode, done.stdout)


def ensure_done(lab: Lab, *arguments: str) -> str:
    """Run one command and return what it said.

    :raises ConfigurationError: it failed; with its words.
    """
    output = incorta_dr(lab, *arguments)
    if output.status:
        raise ConfigurationError(
            f"`incorta-dr {' '.join(arguments)}` ended with status {output.status}: {output.text.strip()}",
            where="command line",
            fix="Correct what it says.",
        )
    return output.text
