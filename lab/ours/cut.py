"""Starts the replication loop as a process of its own; :func:`lab.naive.cut.cut` cuts it off."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from lab.layout import Lab
from lab.workload.at_site import checkout


def start(lab: Lab, log: Path) -> subprocess.Popen[bytes]:
    """Start ``python -m lab.ours`` in a session of its own.

    :param log: what it says is added there.
    """
    argv = [sys.executable, "-P", "-m", "lab.ours", "--root", str(lab.root)]
    env = {**os.environ, "PYTHONPATH": str(checkout())}
    with log.open("ab") as out:
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env, start_new_session=True
        )
