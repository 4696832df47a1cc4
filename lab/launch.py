"""Starts a process that writes itself down before it becomes the server.

The order matters: were the record written by the one who starts, a kill in between would leave a server that nobody
knows of. So a shell starts in a session of its own, writes the record, and then *becomes* the server: neither the
process id nor the start time changes over ``exec``. Until the record is there, the shell also holds the lock under
which it was started, so that whoever comes next waits for it, even if the one who started it is dead.

Raises :class:`~incorta_provider.exceptions.TransientError` when the start of another process hangs.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from incorta_provider.exceptions import TransientError
from lab.processes import reap_once_ended

_SHELL = "/bin/sh"
_SCRIPT = """
record=$1 facts=$2 folder=$3; shift 3
read -r stat < /proc/$$/stat
start_ticks() { shift 21; echo "$1"; }
printf '%s, "pid": %s, "ticks": %s}' "$facts" $$ "$(start_ticks $stat)" > "$record.new" || exit 1
mv "$record.new" "$record" && exec 9>&- && cd "$folder" && exec "$@"
"""
_LOCK_IN_SHELL = 9


@contextmanager
def launching(folder: Path, *, seconds: float = 90) -> Iterator[int]:
    """Hold the lock under which processes are started, and lend its file descriptor.

    :param folder: where the records lie.
    :param seconds: how long to wait for the starts that are under way: those of a whole lab, one after the other.
    :raises TransientError: that start does not come to its end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _lock_file(folder).open("w") as stream:
        if not _lock(stream, seconds):
            raise TransientError(
                "the start of another process does not come to its end",
                where=str(_lock_file(folder)),
                fix="`python -m lab down` ends it.",
            )
        yield stream.fileno()


def await_launches(folder: Path, *, seconds: float = 5) -> None:
    """Wait until no start is under way, but not for one that hangs: its shell bears the markers."""
    with suppress(TransientError), launching(folder, seconds=seconds):
        pass


def is_launching(pid: int, folder: Path) -> bool:
    """Return whether a started process still holds the lock; its record may be there a moment before it lets go."""
    try:
        return Path(f"/proc/{pid}/fd/{_LOCK_IN_SHELL}").readlink() == _lock_file(folder)
    except OSError:
        return False


def _lock_file(folder: Path) -> Path:
    return folder / "lock"


def _lock(stream: TextIO, seconds: float) -> bool:
    """Take the lock within the time given, or return False."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        else:
            return True


def launch(
    argv: Sequence[str],
    *,
    lock: int,
    record: Path,
    facts: Mapping[str, str],
    env: Mapping[str, str],
    log: Path,
    cwd: Path,
) -> int:
    """Start a process and return its id; do not wait for it.

    :param argv: the command; its program as a full path.
    :param lock: what :func:`launching` lent.
    :param record: the JSON file that gets ``facts``, ``pid`` and ``ticks``.
    :param facts: at least one; what else stands in the record.
    :param env: the whole environment.
    :param log: gets standard output and error, appended; mode 0600, for servers print what they are given.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    opening = json.dumps(dict(facts)).removesuffix("}")
    pid = os.posix_spawn(
        _SHELL,
        [_SHELL, "-c", _SCRIPT, "launch", str(record), opening, str(cwd), *argv],
        dict(env),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            (os.POSIX_SPAWN_DUP2, lock, _LOCK_IN_SHELL),
        ],
        setsid=True,
    )
    reap_once_ended(pid)
    return pid
