"""Files below a root, reached through real folders only.

A folder that was swapped for a link after the listing would lead out of the root, and bytes from there would be sealed
under a name in it. So each folder on the way is opened by itself, which refuses a link, and a file is looked at beside
the handle of its folder. One folder is held at a time: the paths of a batch are sorted. This module needs only the
standard library.
"""
# Names are bytes, which pathlib does not take.

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

_ROOT = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_FOLDER = _ROOT | os.O_NOFOLLOW
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Beneath:
    """The files below ``root``; for one thread, within a block.

    :raises OSError: of every call. A folder on the way that is a link by now is no folder: ENOTDIR.
    """

    def __init__(self, root: bytes) -> None:
        self._root = root
        self._folder: bytes | None = None
        self._handle = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._let_go()

    def lstat(self, path: bytes) -> os.stat_result:
        """Look at a path."""
        folder, _, name = path.rpartition(b"/")
        return os.stat(name, dir_fd=self._held(folder), follow_symlinks=False)

    def open(self, path: bytes) -> int:
        """Open a file for reading; the caller closes it."""
        folder, _, name = path.rpartition(b"/")
        return os.open(name, _FILE, dir_fd=self._held(folder))

    def _held(self, folder: bytes) -> int:
        if folder != self._folder:
            self._let_go()
            self._handle = _way_to(self._root, folder)
            self._folder = folder
        return self._handle

    def _let_go(self) -> None:
        if self._folder is not None:
            os.close(self._handle)
            self._folder = None


def _way_to(root: bytes, folder: bytes) -> int:
    handle = os.open(root, _ROOT)
    for name in folder.split(b"/") if folder else ():
        above = handle
        try:
            handle = os.open(name, _FOLDER, dir_fd=above)
        finally:
            os.close(above)
    return handle
