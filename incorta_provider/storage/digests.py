"""Read files at the target again and take their digests."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from dataclasses import dataclass

from incorta_provider.dr.manifest import Entry
from incorta_provider.storage.copying.work_pool import LIMITS
from incorta_provider.storage.faults import GONE, NO_FILE, reading_fault
from incorta_provider.storage.flow.throttle import alive
from incorta_provider.storage.parquet_framing import framing_fault, is_parquet

BUFFER_BYTES = 1024 * 1024
PART_BYTES = 128 * 1024
"""So much of a large file is read, hashed, written and compared before the next part is. It stays in the processor's
second cache meanwhile, which a megabyte does not: that saves a third of the time, see ``docs/decisions/0026``."""

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Buffer(threading.local):
    """One buffer for each thread: allocating a megabyte for each small file would cost more than reading it."""

    def __init__(self, size: int = BUFFER_BYTES) -> None:
        self.data = bytearray(size)
        self.view = memoryview(self.data)


part = Buffer(PART_BYTES)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file holds now.

    :param sha256: None when there is no regular file.
    :param size: bytes.
    :param framing: what is wrong with the frame of a Parquet file; only where that was asked for.
    """

    sha256: bytes | None
    size: int = 0
    framing: str | None = None

    def holds(self, entry: Entry) -> bool:
        """Tell whether this is the content that a manifest names."""
        return self.sha256 is not None and self.size == entry.size and self.sha256 == entry.sha256


class Reader:
    """Reads batches of files below ``root``; for many threads and processes.

    :param framing: look at the frames of Parquet files too.
    """

    limits = LIMITS

    def __init__(self, root: bytes, *, framing: bool = False) -> None:
        self._root = root
        self._framing = framing

    def __call__(self, batch: list[Entry]) -> list[Reading]:
        """Return what each file holds.

        :raises DrError: reading failed for another reason than that the file is not there.
        """
        return [read(self._root + b"/" + entry.path, framing=self._framing) for entry in batch]


def read(path: bytes, *, framing: bool = False) -> Reading:
    """Read one file."""
    try:
        handle = os.open(path, _OPEN)
    except OSError as error:
        if error.errno in GONE | NO_FILE:
            return Reading(None)
        raise reading_fault(error, os.fsdecode(path)) from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return Reading(None)
        size, digest = _digest(handle)
        return Reading(digest, size, framing_fault(handle) if framing and is_parquet(path) else None)
    except OSError as error:
        raise reading_fault(error, os.fsdecode(path)) from None
    finally:
        os.close(handle)


def _digest(handle: int) -> tuple[int, bytes]:
    sha, size = hashlib.sha256(), 0
    while count := os.readv(handle, [part.view]):
        sha.update(part.view[:count])
        size += count
        alive()
    return size, sha.digest()
