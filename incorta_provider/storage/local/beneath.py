"""Open files below a root without ever walking through a link.

A folder may be swapped for a link between the listing and the copy. ``O_NOFOLLOW`` guards only the last part of a path,
so each part is opened beside the one above. Those of the last file stay open for the next one, which mostly shares
them. It needs only the standard library, because it also runs at nodes.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from incorta_provider.storage.faults import GONE

_STALE = GONE | {errno.ESTALE}
"""What a handle answers too when another folder has taken the place of the one that is open."""

T = TypeVar("T")

_ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FOLDER = _ROOT | os.O_NOFOLLOW
_KEPT = 16
"""So many handles stay open at most: a process may have some thousand, and a tree may be that deep."""


class Beneath:
    """Opens files below ``root``, which itself may be a link; for one thread, and for a batch of files at most.

    :ivar root: the folder's path.
    """

    def __init__(self, root: bytes) -> None:
        self.root = root
        self._folder: bytes | None = None
        self._parts: list[bytes] = []
        self._handles: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave(0)

    def open(self, path: bytes, flags: int) -> int:
        """Return a new handle of a file.

        :param path: relative to the root.
        :param flags: for :func:`os.open`; with ``O_NOFOLLOW`` the file itself may not be a link either.
        :raises OSError: as :func:`os.open` does; ENOTDIR or ELOOP where a folder on the way is a link.
        """
        return self._beside(path, lambda name, folder: os.open(name, flags, dir_fd=folder))

    def lstat(self, path: bytes) -> os.stat_result:
        """Look at what is at a path, without following it.

        :raises OSError: as :func:`os.lstat` does; ENOTDIR or ELOOP where a folder on the way is a link.
        """
        return self._beside(path, lambda name, folder: os.stat(name, dir_fd=folder, follow_symlinks=False))

    def _beside(self, path: bytes, ask: Callable[[bytes, int], T]) -> T:
        """Ask about a name beside the handle of its folder; on a miss once more, by the whole way."""
        folder, _, name = path.rpartition(b"/")
        if self._handles:
            try:
                return self._asked(folder, name, ask)
            except OSError as error:
                if error.errno not in _STALE:
                    raise
            self._leave(0)
        return self._asked(folder, name, ask)

    def _asked(self, folder: bytes, name: bytes, ask: Callable[[bytes, int], T]) -> T:
        if folder != self._folder:
            self._enter(folder)
        return ask(name, self._handles[-1])

    def _enter(self, folder: bytes) -> None:
        """Open a folder, from the last one on that leads to it too and is open."""
        if len(self._handles) != len(self._parts) + 1:
            self._leave(0)  # too deep: the handles do not stand for one part each
        parts = folder.split(b"/") if folder else []
        shared = 0
        for one, other in zip(parts, self._parts, strict=False):
            if one != other:
                break
            shared += 1
        self._leave(shared + 1)
        if not self._handles:
            self._handles.append(os.open(self.root, _ROOT))
        for part in parts[shared:]:
            self._handles.append(os.open(part, _FOLDER, dir_fd=self._handles[-1]))
            self._parts.append(part)
            if len(self._handles) > _KEPT:
                os.close(self._handles.pop(-2))
        self._folder = folder

    def _leave(self, kept: int) -> None:
        """Close all handles but the first ones."""
        self._folder = None
        for handle in self._handles[kept:]:
            os.close(handle)
        del self._handles[kept:], self._parts[max(kept - 1, 0) :]
