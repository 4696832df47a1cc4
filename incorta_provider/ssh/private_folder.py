"""A folder for key files, readable by this account only, that is removed with what is in it.

A process that was killed cannot remove its folder. So each folder holds a lock that dies with its process, and whoever
makes the next one removes those whose lock is free.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "incorta-dr-ssh-"
_LOCK = "lock"
_GRACE = 60.0
"""Seconds that a folder without a lock may be about to get one."""


@contextmanager
def private_folder() -> Iterator[Path]:
    """Lend an empty folder, mode 0700, below the folder for temporary files."""
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    draft = folder / f".{_LOCK}"
    handle = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        draft.rename(folder / _LOCK)  # another's sweep finds it held from its first moment on
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def sweep() -> None:
    """Remove the folders of processes of this account that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            facts = folder.lstat()
            if facts.st_uid == os.geteuid() and _is_left(folder, time.time() - facts.st_mtime):
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue


def _is_left(folder: Path, age: float) -> bool:
    try:
        handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return age > _GRACE
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True
