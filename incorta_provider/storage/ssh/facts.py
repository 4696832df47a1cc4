"""What the file system knows of files, before and after a copy: the proof that they did not change meanwhile.

rsync reads a file some time after it looked at it, and cannot tell. So size, time and change time are taken before it
starts and after it ended, at the source's side. This module needs only the standard library.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from incorta_provider.dr.manifest import MODE_BITS
from incorta_provider.storage.copying.stamps import seconds_to_rest
from incorta_provider.storage.faults import GONE, NO_FILE, source_fault
from incorta_provider.storage.local.beneath import Beneath

OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""How a file is opened that may have become something else."""

_BLOCK = 512


class State(IntEnum):
    """What is at a path."""

    FILE = 0
    GONE = 1
    OTHER = 2


class Facts(NamedTuple):
    """What ``lstat`` says."""

    state: int
    size: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    mode: int = 0
    names: int = 0
    has_holes: int = 0

    def is_to_be_brought(self, *, has_holes: bool) -> bool:
        """Tell whether this is a file, and one with holes or without."""
        return self.state == State.FILE and bool(self.has_holes) is has_holes

    def is_same_file(self, after: Facts) -> bool:
        """Tell whether the content is the same: a change of the number of names moves the change time too."""
        if (self.state, self.size, self.mtime_ns) != (after.state, after.size, after.mtime_ns):
            return False
        return self.ctime_ns == after.ctime_ns or self.names != after.names


WIDTH = len(Facts._fields)


def facts_of(root: bytes, paths: Sequence[bytes], *, rest: bool) -> list[Facts]:
    """Return the facts of files below ``root``.

    :param rest: wait until each is older than one tick of the clock that stamps it.
    :raises IntegrityError, TransientError: a path cannot be looked at.
    """
    found = _all_facts(root, paths)
    if rest and (pause := max(map(_unrest, found), default=0.0)):
        time.sleep(pause)
        return _all_facts(root, paths)
    return found


def ensure_readable(root: bytes, paths: Sequence[bytes]) -> None:
    """Open each file, as rsync does; for files that it did not bring.

    :raises IntegrityError: names the first one that may not be read.
    :raises TransientError: the storage does not let us.
    """
    with Beneath(root) as below:
        for path in paths:
            handle = opened(below, path)
            if handle is not None:
                os.close(handle)


def opened(below: Beneath, path: bytes) -> int | None:
    """Open a file for reading; None when there is none by now.

    :raises IntegrityError: it may not be read.
    :raises TransientError: the storage does not let us.
    """
    try:
        return below.open(path, OPEN)
    except OSError as error:
        if error.errno in GONE | NO_FILE:
            return None
        raise source_fault(error, path, os.fsdecode(below.root)) from None


def _all_facts(root: bytes, paths: Sequence[bytes]) -> list[Facts]:
    with Beneath(root) as below:
        return [_facts(below, path) for path in paths]


def _facts(below: Beneath, path: bytes) -> Facts:
    try:
        found = below.lstat(path)
    except OSError as error:
        if error.errno in GONE:
            return Facts(State.GONE)
        raise source_fault(error, path, os.fsdecode(below.root)) from None
    if not stat.S_ISREG(found.st_mode):
        return Facts(State.OTHER)
    mode = found.st_mode & MODE_BITS
    has_holes = found.st_blocks * _BLOCK < found.st_size
    return Facts(State.FILE, found.st_size, found.st_mtime_ns, found.st_ctime_ns, mode, found.st_nlink, has_holes)


def _unrest(facts: Facts) -> float:
    """Return for how many seconds a file may still change without a trace."""
    return seconds_to_rest(facts.mtime_ns) if facts.state == State.FILE else 0.0
