"""Sorted streams of edits: laid over each other, and taken up to a path."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

from incorta_provider.dr.manifest import Entry

Edit = tuple[bytes, Entry | None]
"""A path and what it becomes; None removes it."""


def as_edits(entries: Iterable[Entry]) -> Iterator[Edit]:
    """Yield each entry as what its path becomes."""
    return ((entry.path, entry) for entry in entries)


def removals(entries: Iterable[Entry]) -> Iterator[Edit]:
    """Yield each entry's path as one that is removed."""
    return ((entry.path, None) for entry in entries)


def layered(*layers: Iterable[Edit]) -> Iterator[Edit]:
    """Lay streams in path order over each other: of edits of one path, the one of the last layer counts."""
    last: Edit | None = None
    for edit in heapq.merge(*layers, key=lambda edit: edit[0]):
        if last is not None and last[0] != edit[0]:
            yield last
        last = edit
    if last is not None:
        yield last


class Cursor:
    """A stream of edits in path order, with a look at the next one."""

    def __init__(self, edits: Iterable[Edit]) -> None:
        self._edits = iter(edits)
        self._next = next(self._edits, None)

    def reaches(self, path: bytes) -> bool:
        """Tell whether there is an edit at or before ``path``."""
        return self._next is not None and self._next[0] <= path

    def until(self, path: bytes) -> Iterator[Edit]:
        """Yield the edits at or before ``path``."""
        while self._next is not None and self._next[0] <= path:
            edit, self._next = self._next, next(self._edits, None)
            yield edit

    def before(self, path: bytes | None) -> Iterator[Edit]:
        """Yield the edits before ``path``; all that are left for None."""
        while self._next is not None and (path is None or self._next[0] < path):
            edit, self._next = self._next, next(self._edits, None)
            yield edit

    def rest(self) -> Iterator[Edit]:
        """Yield all that are left."""
        while self._next is not None:
            edit, self._next = self._next, next(self._edits, None)
            yield edit
