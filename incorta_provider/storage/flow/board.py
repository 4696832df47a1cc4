"""A page of numbers that the processes of one copy share: what each has moved, and the bucket of the bandwidth limit.

The page is memory without a name, so nothing is left of it when the processes are killed. A helper opens it through the
process that made it, which outlives its helpers.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_CELL = 8
_CLOSED = -1
"""No descriptor; the number of a closed one may soon be another file's."""
_CELLS = mmap.PAGESIZE // _CELL
_NEXT_ROW = 2
"""The cells before it are the bucket: see :mod:`incorta_provider.storage.flow.bucket`."""
_FIRST_ROW = 4
_WIDTH = 4
_ROWS = (_CELLS - _FIRST_ROW) // _WIDTH


@dataclass(frozen=True, slots=True)
class Counts:
    """What has been done, over all processes.

    :ivar size: bytes that were moved.
    :ivar files: files that were done with, copied or not.
    :ivar beats: signs of life without a byte: a wait that is meant, such as for the bandwidth limit.
    :ivar retries: tries after the first.
    """

    size: int = 0
    files: int = 0
    beats: int = 0
    retries: int = 0


class Board:
    """The page, as one process sees it; each process counts in a row of its own, so counting needs no lock of all.

    Pickled, it is the same page in another process.
    """

    def __init__(self) -> None:
        handle = os.memfd_create("incorta-dr-flow")
        os.ftruncate(handle, mmap.PAGESIZE)
        self._open(f"/proc/{os.getpid()}/fd/{handle}", handle)

    def __getstate__(self) -> str:
        return self._path

    def __setstate__(self, path: str) -> None:
        self._open(path, os.open(path, os.O_RDWR | os.O_CLOEXEC))  # opened again: its lock excludes other processes

    def _open(self, path: str, handle: int) -> None:
        self._path = path
        self._handle = handle
        page = memoryview(mmap.mmap(self._handle, mmap.PAGESIZE))
        self.bucket = page[: _NEXT_ROW * _CELL].cast("d")
        self._cells = page.cast("q")
        self._lock = threading.Lock()
        with self.locked():
            row = self._cells[_NEXT_ROW] % _ROWS
            self._cells[_NEXT_ROW] = row + 1
        self._row = _FIRST_ROW + row * _WIDTH

    def close(self) -> None:
        """Let the page go; who counts still counts for nobody."""
        with self._lock:
            os.close(self._handle)
            self._handle = _CLOSED

    def move(self, size: int) -> None:
        """Count bytes; from any thread, for each small file, so it does nothing else."""
        with self._lock:
            self._cells[self._row] += size

    def add(self, *, files: int = 0, beats: int = 0, retries: int = 0) -> None:
        """Count what is rarer; from any thread."""
        cells, row = self._cells, self._row
        with self._lock:
            cells[row + 1] += files
            cells[row + 2] += beats
            cells[row + 3] += retries

    def counts(self) -> Counts:
        """Return the sums over all processes."""
        rows = self._cells[_FIRST_ROW : _FIRST_ROW + _ROWS * _WIDTH]
        return Counts(*(sum(rows[column::_WIDTH]) for column in range(_WIDTH)))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the page against all other threads and processes, for a moment."""
        with self._lock:
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._handle, fcntl.LOCK_UN)
