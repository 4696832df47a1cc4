"""Copy one local file, taking its digest on the way, and prove the copy.

That the file did not change meanwhile is proven by its own facts before and after: size, time and change time. The
content is read from one open file, so a file that is removed under the copy, or replaced by another one, is still
copied whole. That it arrived is proven by reading it back, through the same open file while its bytes are at hand: to
compare them costs a fraction of what a second digest does, and of opening each file again. From then on the change time
of the copy tells whether it was touched.
"""
# Names are bytes, which pathlib does not take.
# ruff: noqa: PTH108

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable
from typing import TypeVar

from incorta_provider.dr.manifest import MODE_BITS, Entry, Kind, entry_of
from incorta_provider.exceptions import TransientError
from incorta_provider.storage.copying.proven import Proven
from incorta_provider.storage.copying.stamps import seconds_to_rest
from incorta_provider.storage.digests import BUFFER_BYTES, PART_BYTES, Buffer, part
from incorta_provider.storage.durable import start_write_back
from incorta_provider.storage.faults import GONE, NO_FILE, source_fault, target_fault
from incorta_provider.storage.flow.throttle import moved
from incorta_provider.storage.local.beneath import Beneath
from incorta_provider.storage.parquet_framing import framing_fault, framing_fault_of, is_parquet
from incorta_provider.storage.tree import Missed

_PAUSES = (0.05, 0.25)
"""Seconds before the second and the third try: a writer in the middle of a file needs a moment."""

_OPEN_SOURCE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OPEN_TARGET = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_STAT_BLOCK = 512
WRITE_BACK_BYTES = 8 * 1024 * 1024
"""After so much of a large file the disk is told to begin: the flush at the seal waits for what is left."""
_ZEROS = bytes(PART_BYTES)

T = TypeVar("T")

_whole = Buffer(BUFFER_BYTES)
_back = Buffer(PART_BYTES)


def copy_file(root: bytes, entry: Entry, into: bytes) -> Entry | Missed:
    """Copy ``entry`` below ``root`` to ``into``, with its time and mode; or leave nothing there.

    :param into: a path where nothing is yet.
    :returns: what was copied, which may be newer than ``entry``; or why nothing was.
    :raises FileExistsError: there is something at ``into``.
    :raises IntegrityError: the file may not be read.
    :raises TransientError, PreconditionError, ConfigurationError: reading or writing failed.
    """
    copied = copy_proven(root, entry, into)
    return copied.entry if isinstance(copied, Proven) else copied


def copy_proven(root: bytes, entry: Entry, into: bytes) -> Proven | Missed:
    """Do the same, and return the copy with its proof."""
    with Beneath(root) as below:
        return copy_from(below, entry, into)


def copy_from(below: Beneath, entry: Entry, into: bytes) -> Proven | Missed:
    """Do the same with a root of which a folder may be open from the file before."""
    return _patiently(below, entry.path, lambda source: source.to(into))


def read_small(root: bytes, entry: Entry, most: int) -> tuple[Entry, bytes] | Missed | None:
    """Read ``entry`` below ``root`` into memory, with its digest; None when it has more than ``most`` bytes by now.

    :returns: as :func:`copy_file` does, with the content.
    :raises IntegrityError: the file may not be read.
    :raises TransientError: reading failed.
    """
    with Beneath(root) as below:
        return _patiently(below, entry.path, lambda source: source.content(most))


def _patiently(below: Beneath, path: bytes, use: Callable[[_Copy], T | Missed]) -> T | Missed:
    done = _try(below, path, use)
    for pause in _PAUSES:
        if done is not Missed.UNSETTLED:
            break
        time.sleep(pause)
        done = _try(below, path, use)
    return done


def _try(below: Beneath, path: bytes, use: Callable[[_Copy], T | Missed]) -> T | Missed:
    try:
        source = below.open(path, _OPEN_SOURCE)
    except OSError as error:
        if error.errno in GONE:
            return Missed.VANISHED
        if error.errno in NO_FILE:
            return Missed.UNSETTLED
        raise source_fault(error, path, os.fsdecode(below.root)) from None
    try:
        facts = _rested(source)
        if not stat.S_ISREG(facts.st_mode):
            return Missed.UNSETTLED
        return use(_Copy(source, facts, path, below.root))
    finally:
        os.close(source)


class _Copy:
    """One try to copy one open file.

    :param facts: of the file before the first byte is read.
    """

    __slots__ = ("_facts", "_path", "_root", "_source")

    def __init__(self, source: int, facts: os.stat_result, path: bytes, root: bytes) -> None:
        self._source = source
        self._facts = facts
        self._path = path
        self._root = root

    def to(self, into: bytes) -> Proven | Missed:
        """Copy; a file that fits into the buffer is read to its end before anything is made at the target."""
        facts = self._facts
        if facts.st_size > BUFFER_BYTES or facts.st_blocks * _STAT_BLOCK < facts.st_size:
            return self._in_parts(into)
        content = bytes(_whole.view[: self._read(_whole)])
        if len(content) != facts.st_size or not self._is_unchanged():
            return Missed.UNSETTLED
        changed_ns = self._made(into, lambda target: _write_whole(target, content))
        moved(len(content))
        return self._proven(changed_ns, content)

    def content(self, most: int) -> tuple[Entry, bytes] | Missed | None:
        """Return the whole content; None when that is more than ``most`` bytes."""
        size = self._facts.st_size
        if size > most:
            return None
        try:
            content = os.read(self._source, size + 1)
        except OSError as error:
            raise source_fault(error, self._path, os.fsdecode(self._root)) from None
        if len(content) != size or not self._is_unchanged():
            return Missed.UNSETTLED
        moved(size)
        return self._entry(hashlib.sha256(content).digest()), content

    def _in_parts(self, into: bytes) -> Proven | Missed:
        parts = _Parts(self._facts, lambda: self._read(part))
        framing: list[str] = []

        def write(target: int) -> None:
            parts.write(target)
            framing.append(framing_fault(target) or "" if is_parquet(self._path) else "")

        changed_ns = self._made(into, write)
        if parts.size != self._facts.st_size or not self._is_unchanged():
            os.unlink(into)
            return Missed.UNSETTLED
        return Proven(self._entry(parts.digest()), changed_ns, framing[0])

    def _made(self, into: bytes, write: Callable[[int], None]) -> int:
        """Make the copy with time and mode, or nothing, and return its change time."""
        facts = self._facts
        try:
            target = os.open(into, _OPEN_TARGET, facts.st_mode & MODE_BITS)
        except FileExistsError:
            raise
        except OSError as error:
            raise target_fault(error, os.fsdecode(into)) from None
        try:
            write(target)
            os.utime(target, ns=(facts.st_mtime_ns, facts.st_mtime_ns))
            made = os.fstat(target)
            if (made.st_mode ^ facts.st_mode) & MODE_BITS:  # not what was asked for: the process has an umask
                os.fchmod(target, facts.st_mode & MODE_BITS)
                made = os.fstat(target)
        except BaseException as error:
            os.unlink(into)
            if isinstance(error, OSError):
                raise target_fault(error, os.fsdecode(into)) from None
            raise
        finally:
            os.close(target)
        return made.st_ctime_ns

    def _proven(self, changed_ns: int, content: bytes) -> Proven:
        framing = framing_fault_of(content) or "" if is_parquet(self._path) else ""
        return Proven(self._entry(hashlib.sha256(content).digest()), changed_ns, framing)

    def _entry(self, digest: bytes) -> Entry:
        facts = self._facts
        mode = facts.st_mode & MODE_BITS
        return entry_of((self._path, Kind.FILE, facts.st_size, facts.st_mtime_ns, mode, digest, None, None))

    def _read(self, into: Buffer) -> int:
        try:
            return os.readv(self._source, [into.view])
        except OSError as error:
            raise source_fault(error, self._path, os.fsdecode(self._root)) from None

    def _is_unchanged(self) -> bool:
        return _is_unchanged(self._facts, os.fstat(self._source))


def _rested(source: int) -> os.stat_result:
    """Return the facts of a file that is older than one tick of the clock that stamps it."""
    facts = os.fstat(source)
    if pause := seconds_to_rest(facts.st_mtime_ns):
        time.sleep(pause)
        return os.fstat(source)
    return facts


def _write_whole(target: int, content: bytes) -> None:
    write_all(target, memoryview(content))
    if os.pread(target, len(content) + 1, 0) != content:
        raise _damaged()


class _Parts:
    """Writes a file part by part, with holes where it has such.

    :ivar size: bytes so far.
    """

    def __init__(self, facts: os.stat_result, read: Callable[[], int]) -> None:
        self.size = 0
        self._facts = facts
        self._read = read
        self._sha = hashlib.sha256()

    def digest(self) -> bytes:
        """Return the digest of what was written."""
        return self._sha.digest()

    def write(self, target: int) -> None:
        """Copy until the size that the file had, or its end; what it grew by is found by its facts afterwards."""
        has_holes = self._facts.st_blocks * _STAT_BLOCK < self._facts.st_size
        begun = 0
        while self.size < self._facts.st_size and (count := self._read()):
            self._sha.update(part.view[:count])
            if has_holes and part.data.startswith(_ZEROS[:count]):
                os.lseek(target, count, os.SEEK_CUR)
            else:
                write_all(target, part.view[:count])
                _ensure_arrived(target, self.size, count)
            self.size += count
            if self.size - begun >= WRITE_BACK_BYTES:
                start_write_back(target, begun, self.size - begun)
                begun = self.size
            moved(count)
        if has_holes:
            os.ftruncate(target, self.size)


def _ensure_arrived(target: int, offset: int, count: int) -> None:
    """Compare what was written with what can be read there."""
    read = os.preadv(target, [_back.view[:count]], offset)
    same = _back.data == part.data if count == PART_BYTES else _back.data[:count] == part.data[:count]
    if read != count or not same:
        raise _damaged()


def _damaged() -> TransientError:
    return TransientError(
        "what was written is not what can be read back",
        where="a file that was just copied",
        fix="Check the target's disk and the memory of the worker, then retry.",
    )


def write_all(target: int, chunk: memoryview) -> None:
    """Write the whole chunk; one call may take less."""
    while chunk:
        chunk = chunk[os.write(target, chunk) :]


def _is_unchanged(before: os.stat_result, after: os.stat_result) -> bool:
    """Compare the change time too, unless names were added or removed: these change it, and leave the content."""
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        return False
    return before.st_ctime_ns == after.st_ctime_ns or before.st_nlink != after.st_nlink
