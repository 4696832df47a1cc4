"""A lock that dies with its owner: held by an open file, so that a killed process never blocks the next one.

:raises TransientError: another process, or another part of this one, holds it; says who.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from incorta_provider.exceptions import TransientError


def exclusive(path: Path, what: str) -> AbstractContextManager[None]:
    """Hold the lock at ``path`` alone; does not wait.

    Whoever holds it may move the file away or remove it: one who opened it before that gets no lock of it.

    :param what: what is locked, for the error.
    """
    return _held(path, what, fcntl.LOCK_EX)


def shared(path: Path, what: str) -> AbstractContextManager[None]:
    """Hold the lock at ``path`` together with others who share it; nobody holds it alone meanwhile."""
    return _held(path, what, fcntl.LOCK_SH)


@contextmanager
def _held(path: Path, what: str, kind: int) -> Iterator[None]:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(handle, path, what, kind)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        yield
    finally:
        os.close(handle)


def _take(handle: int, path: Path, what: str, kind: int) -> None:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(handle, 200, 0).decode(errors="replace") or "a process that has just begun"
        raise TransientError(
            f"{what} is busy: held by {holder}", where=str(path), fix="Wait for it to end, then retry."
        ) from None
    if not _is_at(path, handle):
        raise TransientError(f"{what} was moved away at this very moment", where=str(path), fix="Retry.")


def _is_at(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(handle))
    except FileNotFoundError:
        return False
