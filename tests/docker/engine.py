"""The Docker engine of this machine: what a test lacks there, and its commands."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


def docker(*argv: str) -> str:
    """Run one command of Docker and return what it printed.

    :raises AssertionError: it failed; with the end of what it said.
    """
    done = subprocess.run(["docker", *argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    said = f"{done.stdout}{done.stderr}"
    assert done.returncode == 0, f"docker {' '.join(argv)} ended with status {done.returncode}:\n{said[-6000:]}"
    return done.stdout


def answers(*argv: str) -> bool:
    """Return whether a command of Docker succeeds."""
    return (
        shutil.which("docker") is not None
        and subprocess.run(["docker", *argv], stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode
        == 0
    )


def missing(*programs: str) -> list[str]:
    """Return what these tests need and this machine has not.

    :param programs: that are needed besides Docker's own.
    """
    found = {
        "a Docker engine that answers `docker info`": answers("info"),
        "`docker compose` (its plugin)": answers("compose", "version"),
        "`docker buildx` (its plugin)": answers("buildx", "version"),
        "root's rights: files are given to the account of the containers": os.geteuid() == 0,
        **{program: shutil.which(program) is not None for program in programs},
    }
    return [name for name, is_here in found.items() if not is_here]


@dataclass(frozen=True)
class Compose:
    """The services of some compose files, as one project.

    :param settings: the file with the variables.
    """

    project: str
    settings: Path
    files: tuple[Path, ...]

    def __call__(self, *argv: str) -> str:
        """Run one command of ``docker compose`` and return what it printed."""
        files = [option for file in self.files for option in ("--file", str(file))]
        return docker("compose", "--project-name", self.project, "--env-file", str(self.settings), *files, *argv)

    def inside(self, service: str, command: str) -> str:
        """Run a line of shell in the container of a service, as the account that the image names."""
        return self("exec", "--no-TTY", service, "sh", "-c", command)
