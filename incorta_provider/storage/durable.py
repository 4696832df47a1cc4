"""Make what was written survive a loss of power.

A copy of many small files is not synced file by file: that costs a disk flush each. Nothing rests on a staged file
until its point is sealed, so one ``syncfs`` of the whole file system right before the seal does the same for all of
them. Since Linux 5.8 it also reports a write that failed in the background.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from incorta_provider.exceptions import LostWritesError

_libc = ctypes.CDLL(None, use_errno=True)
_SYNC_FILE_RANGE_WRITE = 2


def sync_filesystem(folder: Path) -> None:
    """Write everything of the file system that holds ``folder`` to disk.

    The kernel tells once that the disk refused a part. After that the next call succeeds, and what was refused can be
    read as if it were there, as long as it stays in memory.

    :raises OSError: the folder cannot be opened; nothing is known of what was written.
    :raises LostWritesError: the disk refused a part.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _libc.syncfs(handle) != 0:
            raise LostWritesError(
                f"the disk did not take all that was written: {os.strerror(ctypes.get_errno())}",
                where=str(folder),
                fix="Check the disk and the room on it, also below a thin volume. What runs under way have copied is "
                "not believed any more; the next run copies it again.",
            )
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
