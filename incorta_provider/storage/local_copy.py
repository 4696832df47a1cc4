"""Copy one local file, taking its digest on the way, and prove that it did not change meanwhile.

The proof is the file's own facts before and after: size, time and change time. The content is read from one open file,
so a file that is removed under the copy, or replaced by another one, is still copied whole.
"""
# Names are bytes, which pathlib does not take.
# ruff: noqa: PTH108

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable

from incorta_provider.dr.manifest import MODE_BITS, Entry, Kind
from incorta_provider.storage.digests import BUFFER_BYTES, buffer
from incorta_provider.storage.faults import GONE, NO_FILE, source_fault, target_fault
from incorta_provider.storage.flow.throttle import moved
from incorta_provider.storage.tree import Missed

_PAUSES = (0.05, 0.25)
"""Seconds before the second and the third try: a writer in the middle of a file needs a moment."""

_SECOND_NS = 1_000_000_000
_TICK_NS = 20_000_000
"""Linux stamps files with the time of its last tick, every 1 to 10 ms; some file systems keep whole seconds."""

_OPEN_SOURCE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OPEN_TARGET = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_STAT_BLOCK = 512
_ZEROS = bytes(BUFFER_BYTES)


def copy_file(root: bytes, entry: Entry, into: bytes) -> Entry | Missed:
    """Copy ``entry`` below ``root`` to ``into``, with its time and mode; or leave nothing there.

    :param into: a path where nothing is yet.
    :returns: what was copied, which may be newer than ``entry``; or why nothing was.
    :raises FileExistsError: there is something at ``into``; nothing was read.
    :raises IntegrityError: the file may not be read.
    :raises TransientError, PreconditionError, ConfigurationError: reading or writing failed.
    """
    copied = _try(root, entry.path, into)
    for pause in _PAUSES:
        if copied is not Missed.UNSETTLED:
            break
        time.sleep(pause)
        copied = _try(root, entry.path, into)
    return copied


def _try(root: bytes, path: bytes, into: bytes) -> Entry | Missed:
    try:
        source = os.open(root + b"/" + path, _OPEN_SOURCE)
    except OSError as error:
        if error.errno in GONE:
            return Missed.VANISHED
        if error.errno in NO_FILE:
            return Missed.UNSETTLED
        raise source_fault(error, path, os.fsdecode(root)) from None
    try:
        return _copy_open(source, path, root, into)
    finally:
        os.close(source)


def _copy_open(source: int, path: bytes, root: bytes, into: bytes) -> Entry | Missed:
    before = _rested(source)
    if not stat.S_ISREG(before.st_mode):
        return Missed.UNSETTLED

    def read() -> int:
        try:
            return os.readv(source, [buffer.view])
        except OSError as error:
            raise source_fault(error, path, os.fsdecode(root)) from None

    try:
        size, digest = _write(read, before, into)
    except FileExistsError:
        raise
    except OSError as error:
        raise target_fault(error, os.fsdecode(into)) from None
    if size != before.st_size or not _is_unchanged(before, os.fstat(source)):
        os.unlink(into)
        return Missed.UNSETTLED
    return Entry(path, Kind.FILE, size, before.st_mtime_ns, before.st_mode & MODE_BITS, digest)


def _rested(source: int) -> os.stat_result:
    """Return the facts of a file that is older than one tick of the clock that stamps it.

    A write of the same size within the tick in which we read would leave no trace, neither now nor in any later pass.
    """
    facts = os.fstat(source)
    tick = _SECOND_NS if not facts.st_mtime_ns % _SECOND_NS else _TICK_NS
    age = time.time_ns() - facts.st_mtime_ns
    if not 0 <= age < tick:
        return facts
    time.sleep((tick - age) / _SECOND_NS)
    return os.fstat(source)


def _write(read: Callable[[], int], facts: os.stat_result, into: bytes) -> tuple[int, bytes]:
    target = os.open(into, _OPEN_TARGET, 0o600)
    try:
        size, digest = _pump(read, facts, target)
        os.fchmod(target, facts.st_mode & MODE_BITS)
        os.utime(target, ns=(facts.st_mtime_ns, facts.st_mtime_ns))
    except BaseException:
        os.unlink(into)
        raise
    finally:
        os.close(target)
    return size, digest


def _pump(read: Callable[[], int], facts: os.stat_result, target: int) -> tuple[int, bytes]:
    """Copy until the size that the file had, or its end; what it grew by is found by its facts afterwards."""
    sha, size = hashlib.sha256(), 0
    has_holes = facts.st_blocks * _STAT_BLOCK < facts.st_size
    while size < facts.st_size and (count := read()):
        chunk = buffer.view[:count]
        sha.update(chunk)
        if has_holes and buffer.data.startswith(_ZEROS[:count]):
            os.lseek(target, count, os.SEEK_CUR)
        else:
            write_all(target, chunk)
        size += count
        moved(count)
    if has_holes:
        os.ftruncate(target, size)
    return size, sha.digest()


def write_all(target: int, chunk: memoryview) -> None:
    """Write the whole chunk; one call may take less."""
    while chunk:
        chunk = chunk[os.write(target, chunk) :]


def _is_unchanged(before: os.stat_result, after: os.stat_result) -> bool:
    """Compare the change time too, unless names were added or removed: these change it, and leave the content."""
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        return False
    return before.st_ctime_ns == after.st_ctime_ns or before.st_nlink != after.st_nlink
