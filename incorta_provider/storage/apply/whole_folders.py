"""Which new folders of a point can be put into the replica by one rename each.

A folder that is staged may take the way of one rename when the replica does not have it, and what is staged in it is
what the point has in it, file by file with the recorded facts: not one file more, not one less, no folder that the
point does not have. Links and empty folders are made afterwards, and all times and modes of folders set.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import chain

from incorta_provider.dr.diff import Change
from incorta_provider.dr.manifest import AFTER_SLASH, CODES, FILE_CODE, Entry, Kind, OpenFolders, Row, parent_of, to_row
from incorta_provider.exceptions import DrError
from incorta_provider.storage.tree import RangedTree, Tree, runs_of

log = logging.getLogger(__name__)


def whole_folders(changes: Iterable[Change], staged: Tree) -> dict[bytes, int]:
    """Return the folders that may be renamed, each with the number of files below it; none inside another.

    Memory follows the number of new folders, and nothing else is listed.

    :param staged: the area with what the point brought.
    """
    search = _Search(staged)
    try:
        for change in changes:
            search.meet(change)
        search.end()
    except DrError as error:  # what the area may not hold at all, or no area: each file is then looked for by itself
        log.warning("no folder is taken as a whole: %s", error)
        return {}
    return search.result()


class _Listing:
    """What is staged below one folder, taken along with what the point has there."""

    def __init__(self, staged: Tree, prefix: bytes) -> None:
        self.prefix = prefix
        self._rows = _rows_of(staged, prefix, prefix[:-1] + AFTER_SLASH)
        self._next = next(self._rows, None)

    def before(self, path: bytes | None) -> Iterator[bytes]:
        """Yield the paths of what lies before a path; all that is left for None."""
        while self._next is not None and (path is None or self._next[0] < path):
            yield self._next[0]
            self._next = next(self._rows, None)

    def takes(self, entry: Entry) -> bool:
        """Tell whether just this file is staged next, and take it."""
        found = self._next
        if found is None or entry.kind is not Kind.FILE or not _is_file(found, entry):
            return False
        self._next = next(self._rows, None)
        return True

    def at(self, path: bytes) -> Row | None:
        """Return what is staged at a path; what lies before it was taken."""
        found = self._next
        if found is None or found[0] != path:
            return None
        self._next = next(self._rows, None)
        return found


def _rows_of(staged: Tree, begin: bytes, end: bytes) -> Iterator[Row]:
    if isinstance(staged, RangedTree):
        return chain.from_iterable(runs_of(staged, begin, end))
    return map(to_row, staged.list(begin, end))


def _is_file(found: Row, entry: Entry) -> bool:
    """Tell whether a row is of a file, with path, size, time and mode of an entry."""
    return found[1] == FILE_CODE and found[0] == entry[0] and found[2:5] == entry[2:5]


class _Search:
    def __init__(self, staged: Tree) -> None:
        self._staged = staged
        self._files: dict[bytes, int] = {}
        self._spoilt: set[bytes] = set()
        self._waiting: list[bytes] = []
        self._listing: _Listing | None = None

    def meet(self, change: Change) -> None:
        """Take the next change, in path order."""
        entry = change.new or change.old
        if entry is None:
            return
        if self._listing is not None and self._listing.takes(entry):  # nearly all of a first sync
            self._count(entry.path)
            return
        is_new_folder = change.old is None and entry.kind is Kind.DIR
        listing = self._listing_of(entry.path)
        if is_new_folder:
            self._files[entry.path] = 0
        if listing is not None:
            for path in listing.before(entry.path):
                self._spoil(path)
            self._judge(entry, listing.at(entry.path))
        elif is_new_folder:
            self._waiting.append(entry.path + b"/")

    def end(self) -> None:
        """Take what is staged after the last change."""
        if self._listing is not None:
            for path in self._listing.before(None):
                self._spoil(path)
            self._listing = None

    def _listing_of(self, path: bytes) -> _Listing | None:
        """Return what is staged in the outermost new folder that holds a path; None when none does."""
        if self._listing is not None and path.startswith(self._listing.prefix):
            return self._listing
        self.end()
        while self._waiting and self._waiting[-1] < path:
            prefix = self._waiting.pop()
            if path.startswith(prefix):
                self._listing = _Listing(self._staged, prefix)
                break
        return self._listing

    def _judge(self, entry: Entry, found: Row | None) -> None:
        """Hold what the point has at a path against what is staged there."""
        if entry.kind is Kind.FILE:
            if found is None or not _is_file(found, entry):
                self._spoil(entry.path)
            else:
                self._count(entry.path)
        elif found is not None and found[1] != CODES[entry.kind]:
            self._spoil(entry.path)

    def _count(self, path: bytes) -> None:
        if (folder := parent_of(path)) in self._files:
            self._files[folder] += 1

    def _spoil(self, path: bytes) -> None:
        """Rule out all folders that hold a path."""
        while (path := parent_of(path)) and path not in self._spoilt:
            self._spoilt.add(path)

    def result(self) -> dict[bytes, int]:
        """Return the outermost folders that nothing rules out and that hold files, with the number of these."""
        names = sorted(self._files)
        outer = OpenFolders()
        found: dict[bytes, int] = {}
        for folder in names:
            if folder in self._spoilt or outer.contains(folder):
                continue
            below = names[bisect_left(names, folder + b"/") : bisect_left(names, folder + AFTER_SLASH)]
            if files := sum(map(self._files.__getitem__, (folder, *below))):
                outer.enter(folder)
                found[folder] = files
        return found
