"""Which new folders of a point can be put into the replica by one rename each.

A folder that is staged may take the way of one rename when the replica does not have it, and what is staged in it is
what the point has in it, file by file with the recorded facts: not one file more, not one less, no folder that the
point does not have. Links and empty folders are made afterwards, and all times and modes of folders set.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from incorta_provider.dr.diff import Change, align
from incorta_provider.dr.manifest import Entry, Kind, OpenFolders, parent_of
from incorta_provider.exceptions import DrError
from incorta_provider.storage.tree import Tree

log = logging.getLogger(__name__)


def whole_folders(changes: Iterable[Change], staged: Tree) -> dict[bytes, int]:
    """Return the folders that may be renamed, each with the number of files below it; none inside another.

    Memory follows the number of new folders.

    :param staged: the area with what the point brought.
    """
    search = _Search()
    try:
        for entry, found in align(_new(changes, search), staged.list()):
            search.judge(entry, found)
    except DrError as error:  # what the area may not hold at all, or no area: each file is then looked for by itself
        log.warning("no folder is taken as a whole: %s", error)
        return {}
    return search.result()


def _new(changes: Iterable[Change], search: _Search) -> Iterator[Entry]:
    """Yield what the point has, and tell the search of folders that the replica has in some form."""
    for change in changes:
        if change.new is not None:
            if change.old is None and change.new.kind is Kind.DIR:
                search.enter(change.new.path)
            yield change.new
        elif change.old is not None:
            search.spoil(change.old.path)


class _Search:
    def __init__(self) -> None:
        self._files: dict[bytes, int] = {}
        self._spoilt: set[bytes] = set()

    def enter(self, folder: bytes) -> None:
        """Remember a new folder."""
        self._files[folder] = 0

    def judge(self, entry: Entry | None, found: Entry | None) -> None:
        """Hold a path of the point against what is staged."""
        if entry is None:
            if found is not None:
                self.spoil(found.path)
        elif entry.kind is Kind.FILE:
            if found is not None and entry[:5] == found[:5]:
                folder = parent_of(entry.path)
                if folder in self._files:
                    self._files[folder] += 1
            else:
                self.spoil(entry.path)
        elif found is not None and found.kind is not entry.kind:
            self.spoil(entry.path)

    def spoil(self, path: bytes) -> None:
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
            below = names[bisect_left(names, folder + b"/") : bisect_left(names, folder + b"0")]
            if files := sum(map(self._files.__getitem__, (folder, *below))):
                outer.enter(folder)
                found[folder] = files
        return found
