"""What ``/proc`` says about processes: who is alive, whose child it is, and which lab it belongs to.

A process id alone proves nothing, for ids are used again. A process is meant by its id *and* its start time in clock
ticks since boot (proc(5), field 22 of ``stat``). What a lab started carries a marker in its environment, which children
inherit, so that processes which a script sent to the background are found as well.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """One running process; ``ticks`` is its start time."""

    pid: int
    parent: int
    ticks: int


_launched: set[int] = set()


def reap_once_ended(pid: int) -> None:
    """Have :func:`find` take note of the end of this child, for which nobody waits."""
    _launched.add(pid)


def find(pid: int) -> Process | None:
    """Return the process with this id, or None when there is none or only its zombie.

    The first thread of a process may have ended before the others, which still hold its files and ports.
    """
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    if fields[0] in "ZX" and int(fields[17]) <= 1:
        _reap(pid)
        return None
    return Process(pid, parent=int(fields[1]), ticks=int(fields[19]))


def _reap(pid: int) -> None:
    """Take note of the end of a launched child, and of no other.

    Whoever started another one waits for it, perhaps in another thread at this moment: :mod:`subprocess` takes the
    status of a child that somebody else reaped for 0, and a copy that failed for one that went well.
    """
    if pid not in _launched:
        return
    with suppress(ChildProcessError):
        if os.waitpid(pid, os.WNOHANG) == (0, 0):
            return
    _launched.discard(pid)  # from now on the kernel may give this id to another child


def is_alive(process: Process) -> bool:
    """Return whether this very process still runs, not another one with its id."""
    now = find(process.pid)
    return now is not None and now.ticks == process.ticks


def all_processes() -> dict[int, Process]:
    """Return every running process by its id."""
    pids = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    return {pid: process for pid in pids if (process := find(pid))}


def environment(process: Process) -> dict[str, str]:
    """Return the environment that the process was started with; empty when it may not be read."""
    try:
        raw = (_PROC / str(process.pid) / "environ").read_bytes()
    except OSError:
        return {}
    pairs = (item.partition(b"=") for item in raw.split(b"\0") if b"=" in item)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def family(markers: Mapping[str, str], roots: Iterable[Process] = ()) -> list[Process]:
    """Return the processes which carry all the markers, the living roots, and the descendants of both.

    Descendants count because sshd and others write over their environment. The caller and its ancestors never count.
    """
    table = all_processes()
    members = {root.pid for root in roots if table.get(root.pid) and table[root.pid].ticks == root.ticks}
    members |= {pid for pid, process in table.items() if markers.items() <= environment(process).items()}
    children: dict[int, list[int]] = {}
    for process in table.values():
        children.setdefault(process.parent, []).append(process.pid)
    waiting = list(members)
    while waiting:
        fresh = [pid for pid in children.get(waiting.pop(), []) if pid not in members]
        members.update(fresh)
        waiting.extend(fresh)
    return [table[pid] for pid in sorted(members - _ancestry(table)) if pid in table]


def _ancestry(table: Mapping[int, Process]) -> set[int]:
    """Return the ids of this process and its ancestors."""
    ids: set[int] = set()
    pid = os.getpid()
    while pid and pid not in ids:
        ids.add(pid)
        pid = table[pid].parent if pid in table else 0
    return ids


def send(process: Process, signum: signal.Signals) -> None:
    """Signal this very process; nothing happens when it is gone."""
    if is_alive(process):
        with suppress(ProcessLookupError):
            os.kill(process.pid, signum)


def wait_until_gone(processes: Iterable[Process], seconds: float) -> list[Process]:
    """Wait for the processes to end and return those which still run after ``seconds``."""
    deadline = time.monotonic() + seconds
    left = [process for process in processes if is_alive(process)]
    while left and time.monotonic() < deadline:
        time.sleep(0.02)
        left = [process for process in left if is_alive(process)]
    return left
