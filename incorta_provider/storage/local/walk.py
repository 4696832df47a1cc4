"""Walk a part of a tree of files in path order, without recursion: a tree may be deeper than Python's stack."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from incorta_provider.dr.manifest import AFTER_SLASH, DIR_CODE, Row
from incorta_provider.storage.tree import Runs

_AT_ONCE = 1_024
"""The facts of at most this many names of a folder are held."""


@dataclass(slots=True)
class _Folder:
    """One that is being walked.

    :ivar chunks: what is in it, some names at once.
    :ivar rows: those of a chunk that are still to come, the next one last.
    :ivar waiting: its subfolders whose content is still to come, as paths with ``/``; the next one is the last. Beside
        each the names that are looked at in it, None for all.
    """

    chunks: Iterator[Sequence[Row]]
    rows: list[Row] = field(default_factory=list)
    waiting: list[tuple[bytes, Sequence[bytes] | None]] = field(default_factory=list)


class Walk:
    """The paths from ``begin`` on and before ``end``.

    :param names: returns the sorted names in a folder, whose path ends in ``/``; empty for the root.
    :param look: returns what names in a folder are, in their order.
    """

    def __init__(
        self,
        names: Callable[[bytes], Sequence[bytes]],
        look: Callable[[bytes, Sequence[bytes]], Sequence[Row]],
        begin: bytes,
        end: bytes | None,
    ) -> None:
        self._names = names
        self._look = look
        self._begin = begin
        self._end = end

    def runs(self) -> Runs:
        """Yield them; who answers the row of a folder with names has only these looked at in it."""
        stack = [self._folder(b"", None)]
        while stack:
            folder = stack[-1]
            if not folder.rows and (chunk := next(folder.chunks, None)) is not None:
                if folder.waiting or not self._is_run(chunk):
                    folder.rows = [*reversed(chunk)]
                elif chunk:
                    yield chunk
                continue
            following = folder.rows[-1] if folder.rows else None
            if folder.waiting and (following is None or folder.waiting[-1][0] < following[0]):
                stack.append(self._folder(*folder.waiting.pop()))
            elif following is None:
                stack.pop()
            else:
                yield from self._one(folder)

    def _is_run(self, chunk: Sequence[Row]) -> bool:
        """Tell whether a chunk has no folder, and nothing that is not in the range."""
        return not chunk or (chunk[0][0] >= self._begin and DIR_CODE not in map(itemgetter(1), chunk))

    def _one(self, folder: _Folder) -> Runs:
        """Yield one row, and remember a folder for when its content is due."""
        row = folder.rows.pop()
        only = (yield [row]) if row[0] >= self._begin else None
        if row[1] == DIR_CODE and self._has_part_of(row[0]):
            folder.waiting.append((row[0] + b"/", only))

    def _folder(self, path: bytes, only: Sequence[bytes] | None) -> _Folder:
        names = self._names(path) if only is None else only
        return _Folder(self._chunks(path, self._in_range(path, names)))

    def _chunks(self, path: bytes, names: Sequence[bytes]) -> Iterator[Sequence[Row]]:
        for first in range(0, len(names), _AT_ONCE):
            yield self._look(path, names[first : first + _AT_ONCE])

    def _in_range(self, path: bytes, names: Sequence[bytes]) -> Sequence[bytes]:
        """Leave out names that neither are in the range nor, as folders, could hold a part of it."""
        if self._end is not None and path + b"\xff" > self._end:
            names = names[: bisect_left(names, self._end, key=lambda name: path + name)]
        if path < self._begin:
            names = [name for name in names if path + name + AFTER_SLASH > self._begin]
        return names

    def _has_part_of(self, path: bytes) -> bool:
        return path + AFTER_SLASH > self._begin and (self._end is None or path + b"/" < self._end)
