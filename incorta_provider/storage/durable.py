"""Make what was written survive a loss of power.

A copy of many small files is not synced file by file: that costs a disk flush each. Nothing rests on a staged file
until its point is sealed, so one ``syncfs`` of the whole file system right before the seal does the same for all of
them. Since Linux 5.8 it also reports a write that failed in the background.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_SYNC_FILE_RANGE_WRITE = 2


def sync_filesystem(folder: Path) -> None:
    """Write everything of the file system that holds ``folder`` to disk.

    :raises OSError: the disk refused a part of it.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _libc.syncfs(handle) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(folder))
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Write the names in ``folder`` to disk: what makes a rename survive."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Write the content of one file to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def start_write_back(handle: int, offset: int, size: int) -> None:
    """Tell the disk to begin with a part of an open file, and do not wait; a hint, which may be refused.

    :param size: bytes.
    """
    _libc.sync_file_range(handle, ctypes.c_int64(offset), ctypes.c_int64(size), _SYNC_FILE_RANGE_WRITE)
