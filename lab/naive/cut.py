"""Starts the naive copy as a process of its own, and cuts it off with everything that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from lab.workload.at_site import checkout


def start(source_home: Path, target_home: Path) -> subprocess.Popen[bytes]:
    """Start ``python -m lab.naive`` in a session of its own."""
    argv = [sys.executable, "-P", "-m", "lab.naive"]
    argv += ["--source-home", str(source_home), "--target-home", str(target_home)]
    env = {**os.environ, "PYTHONPATH": str(checkout())}
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env, start_new_session=True)


def cut(process: subprocess.Popen[bytes]) -> None:
    """Kill the process, its rsync, its dump and its client at once, as a power cut would."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
