"""How each process of a node is: one small file a process, written by itself.

A process is meant by its id and its start time, so that a file which a killed process left behind fools nobody.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TextIO

from lab.files import write
from lab.incorta.home import Home
from lab.processes import Process, find, is_alive


class State(StrEnum):
    """What the CMC shows."""

    STOPPED = "Stopped"
    STARTING = "Starting"
    STARTED = "Started"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Status:
    """One process.

    :param reason: why it failed; empty otherwise.
    :param ticks: its start time, as :mod:`lab.processes` has it.
    """

    name: str
    state: State
    reason: str = ""
    pid: int = 0
    ticks: int = 0

    @property
    def process(self) -> Process:
        """Return the process that is meant."""
        return Process(self.pid, parent=0, ticks=self.ticks)

    @property
    def alive(self) -> bool:
        """Return whether the process runs."""
        return self.pid > 0 and is_alive(self.process)


def write_status(home: Home, name: str, state: State, reason: str = "", *, pid: int = 0) -> None:
    """Record how a process is: this one, or the one with the given id."""
    found = find(pid or os.getpid())
    status = Status(name, state, reason, pid=found.pid if found else 0, ticks=found.ticks if found else 0)
    write(home.status_file(name), json.dumps(asdict(status)))


def read_status(home: Home, name: str) -> Status:
    """Return how a process is; one that ended without a word has failed."""
    try:
        fields = json.loads(home.status_file(name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Status(name, State.STOPPED)
    status = Status(**{**fields, "state": State(fields["state"])})
    if status.state in (State.STARTING, State.STARTED) and not status.alive:
        return Status(name, State.FAILED, f"its process {status.pid} ended without a word; see its log")
    return status


def claim(home: Home, name: str) -> TextIO | None:
    """Return an open file that keeps a second process of this name from starting, or None when one runs already."""
    path = home.lock_file(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = path.open("w")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        return None
    return stream
