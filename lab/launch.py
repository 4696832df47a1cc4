"""Starts a process that writes itself down before it becomes the server.

The order matters: were the record written by the one who starts, a kill in between would leave a server that nobody
knows of. So a shell starts in a session of its own, writes the record, and then *becomes* the server: neither the
process id nor the start time changes over ``exec``. Until the record is there, the shell also holds the lock under
which it was started, so that whoever comes next waits for it, even if the one who started it is dead.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

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
def launching(folder: Path) -> Iterator[int]:
    """Hold the lock under which processes are started, and lend its file descriptor.

    :param folder: where the records lie.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield stream.fileno()


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
    return os.posix_spawn(
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
