"""Run rsync, and judge what it says: only a closed list of exit statuses is success.

Of a batch it is told exactly which files to bring, by their names, to a folder that is its own. Times and modes are not
its business: they are set from the facts that the digest was taken with. This module needs only the standard library,
because it also runs at nodes.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import IO, NamedTuple

from incorta_provider.exceptions import ConfigurationError, DrError, PreconditionError, TransientError
from incorta_provider.ssh.lifeline import dying_with_us
from incorta_provider.storage.ssh.openssh_faults import login_fault

FLAGS = (
    "--files-from=-",
    "--from0",
    "--no-implied-dirs",
    "--protect-args",
    "--whole-file",
    "--chmod=D700,F600",
    "--timeout=60",
    "--info=progress2",
)
"""``--protect-args``: no shell at the node sees a name. ``--timeout``: seconds without a byte, at both ends, so that an
rsync whose connection is dead ends."""

_MAX_COMPLAINT = 2000
_INSTALL = "Install rsync 3.1 or newer at both ends."
PARTIAL = 23
PER_FILE = frozenset({0, PARTIAL, 24})
"""Done; some files were not brought; some vanished. Which ones is found by looking, not by reading messages."""

NOISE = 2
"""How rsync ends when what comes first is not its greeting."""

NOISY = "what the node's login shell printed stands where the answer begins: is your shell clean?"
_NOISE = re.compile("is your shell clean")
_NOT_FOUND = 127
_NO_RSYNC = re.compile(r"rsync: (command )?not found|rsync: No such file|incorta-dr: .*No such file")
"""What the shell at a node says, or our program there that starts rsync."""

_NO_AGENT = re.compile(r"can't open file .*\.pyz")
"""What Python says at a node whose copy of our program was removed."""

_ERRNO = re.compile(r"\((\d+)\)(?: at |$)", re.MULTILINE)
_UNUSABLE: Mapping[int, str] = {1: "its options", 2: "its protocol", 4: "what is asked of it"}
_PROGRESS = re.compile(rb"(?:^|\r) *([\d,]+) +\d+% ")
"""What ``--info=progress2`` prints, with a return before each: the bytes so far."""


class Ended(NamedTuple):
    """How an rsync ended."""

    status: int
    complaint: str


def run(argv: Sequence[str], paths: Sequence[bytes], moved: Callable[[int], object]) -> Ended:
    """Run an rsync with :data:`FLAGS` to its end; it dies with the thread that calls this.

    :param moved: is told now and then how many bytes have come since it was told last.
    """
    return finish(start(argv, paths), moved)


def finish(running: Generator[int, None, Ended], moved: Callable[[int], object]) -> Ended:
    """Go on with what yields how many bytes have come, to its end.

    :param moved: is told each.
    """
    while True:
        try:
            moved(next(running))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def start(argv: Sequence[str], paths: Sequence[bytes], keep: Sequence[int] = ()) -> Generator[int, None, Ended]:
    """Run it, and yield how many bytes have come since the last time; who stops in the middle ends it.

    :param paths: what to bring, relative to the source.
    :param keep: descriptors that stay open in it: locks.
    """
    if shutil.which(argv[0]) is None:
        return Ended(_NOT_FOUND, f"{argv[0]}: command not found")
    words = dying_with_us(argv)
    env = {key: value for key, value in os.environ.items() if not key.startswith("RSYNC_")} | {"LC_ALL": "C"}
    with tempfile.TemporaryFile() as names, tempfile.TemporaryFile() as complaint:
        names.writelines(b"./" + path + b"\0" for path in paths)  # a name that begins with # would be a comment
        names.seek(0)
        process = subprocess.Popen(words, stdin=names, stdout=subprocess.PIPE, stderr=complaint, env=env, pass_fds=keep)
        try:
            yield from _progress(process)
        finally:
            process.kill()
            process.wait()
        return Ended(process.returncode, complaint_in(complaint))


def complaint_in(file: IO[bytes]) -> str:
    """Return the end of what a program complained."""
    file.seek(0)
    return file.read().decode(errors="replace").strip()[-_MAX_COMPLAINT:]


def _progress(process: subprocess.Popen[bytes]) -> Iterator[int]:
    """Yield how many bytes have come since the last time, until the process has ended."""
    told = 0
    with process.stdout or nullcontext() as output:
        while output is not None and (text := os.read(output.fileno(), 65536)):
            if found := _PROGRESS.findall(text):
                now = max(told, int(found[-1].replace(b",", b"")))
                yield now - told
                told = now
    process.wait()


def ensure_ended_well(ended: Ended, place: str) -> None:
    """Refuse an rsync that did not come to its end; files that it did not bring are another matter.

    :param place: the two ends, for messages.
    :raises TransientError, ConfigurationError, PreconditionError: says what happened and what to do.
    """
    if ended.status not in PER_FILE:
        raise fault(ended, place)


def fault(ended: Ended, place: str) -> DrError:
    """Return the error for an rsync that did not bring what it should."""
    told = ended.complaint[-500:] or "no message"
    if (login := login_fault(ended.complaint, place)) is not None:
        return login
    if (missing := _missing(ended, told, place)) is not None:
        return missing
    if (known := _known(ended.complaint, told, place)) is not None:
        return known
    if _NOISE.search(told):
        return ConfigurationError(
            f"the node's login shell prints something where rsync should answer: {told}",
            where=place,
            fix="Let the start files of the account's shell print nothing when there is no terminal: `ssh NODE true` "
            "must print nothing. With a silent shell it is rsync's versions that do not fit.",
        )
    if ended.status in _UNUSABLE:
        return ConfigurationError(
            f"rsync refuses {_UNUSABLE[ended.status]}: {told}",
            where=place,
            fix=_INSTALL,
        )
    return TransientError(
        f"the copy ended with status {ended.status}: {told}", where=place, fix="Trying again is safe."
    )


def _missing(ended: Ended, told: str, place: str) -> DrError | None:
    """Return the error for a program that is not there."""
    if _NO_RSYNC.search(told):
        return ConfigurationError(f"there is no rsync: {told}", where=place, fix=_INSTALL)
    if _NO_AGENT.search(told):
        return TransientError(f"the agent's file is gone: {told}", where=place, fix="Another try sends it anew.")
    if ended.status == _NOT_FOUND:
        return ConfigurationError(
            f"a program is missing: {told}",
            where=place,
            fix="Install it there; for Python, its path may be set as python in the connection's extra field.",
        )
    return None


def _known(complaint: str, told: str, place: str) -> DrError | None:
    """Return the error for what the operating system of the receiving end refused, which rsync names by number."""
    numbers = {int(number) for number in _ERRNO.findall(complaint)}
    if numbers & {errno.ENOSPC, errno.EDQUOT}:
        return PreconditionError(f"no room left: {told}", where=place, fix="Free space at the target, then retry.")
    if numbers & {errno.EROFS, errno.EACCES, errno.EPERM}:
        return ConfigurationError(
            f"cannot write: {told}",
            where=place,
            fix="Give the account the right to write at the target, and mount it read-write.",
        )
    return None
