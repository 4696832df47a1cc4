"""Open files below a root without ever walking through a link.

A folder may be swapped for a link between the listing and the copy. ``O_NOFOLLOW`` guards only the last part of a path,
so the folder is opened part by part. It stays open for the next file, which is mostly in the same folder: to open a
name beside a handle takes less than to walk its whole path. It needs only the standard library, because it also runs at
nodes.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

from incorta_provider.storage.faults import GONE

_ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FOLDER = _ROOT | os.O_NOFOLLOW
_NONE = -1


class Beneath:
    """Opens files below ``root``, which itself may be a link; for one thread, and for a batch of files at most.

    :ivar root: the folder's path.
    """

    def __init__(self, root: bytes) -> None:
        self.root = root
        self._folder = b""
        self._handle = _NONE

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def open(self, path: bytes, flags: int) -> int:
        """Return a new handle of a file.

        :param path: relative to the root.
        :param flags: for :func:`os.open`; with ``O_NOFOLLOW`` the file itself may not be a link either.
        :raises OSError: as :func:`os.open` does; ENOTDIR or ELOOP where a folder on the way is a link.
        """
        folder, _, name = path.rpartition(b"/")
        if self._handle != _NONE and folder == self._folder:
            try:
                return os.open(name, flags, dir_fd=self._handle)
            except OSError as error:
                if error.errno not in GONE:
                    raise
            # not there: another folder may have taken the place of the one that is open
        self._enter(folder)
        return os.open(name, flags, dir_fd=self._handle)

    def _enter(self, folder: bytes) -> None:
        self._close()
        self._handle = os.open(self.root, _ROOT)
        for part in folder.split(b"/") if folder else ():
            above, self._handle = self._handle, _NONE
            try:
                self._handle = os.open(part, _FOLDER, dir_fd=above)
            finally:
                os.close(above)
        self._folder = folder

    def _close(self) -> None:
        if self._handle != _NONE:
            os.close(self._handle)
            self._handle = _NONE
