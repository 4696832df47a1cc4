"""See that nothing changed in a stretch of paths, by its folders alone.

Where folders are immutable, as the topology says, a stretch in which nothing changed needs one look at each of its
folders: not one Python object a file, and no helper process, which takes longer to start than to look at thousands of
folders. Of folders that may change all names are looked at. Whatever is not just as the base has it leaves the whole
stretch to those who judge path by path (:mod:`~incorta_provider.storage.survey.judging`), whose rules these are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence

from incorta_provider.dr.manifest import AFTER_SLASH, DIR_CODE, FILE_CODE, Row
from incorta_provider.storage.exclude import Exclude
from incorta_provider.storage.survey.stretch import Block, Columns, Counts, Stretch
from incorta_provider.storage.tree import GlimpsedTree

_TRIES = 4
"""After this many stretches that did change, if they are the majority, glimpses cost more than they save."""

_SLASH = ord("/")


class Glimpse:
    """Looks at stretches of a tree.

    :param immutable: patterns of the folders whose files never change.
    :param young: folders that the point before found changed: all their names are looked at.
    """

    def __init__(self, tree: GlimpsedTree, immutable: Sequence[str], young: Collection[bytes]) -> None:
        self._tree = tree
        self._immutable = Exclude(immutable)
        self._young = young
        self._same = 0
        self._other = 0

    def unchanged(self, stretch: Stretch) -> Block | None:
        """Return what a judge would of a stretch in which nothing changed; None when that cannot be seen so easily.

        :raises IntegrityError: what a listing raises.
        """
        if stretch.held or stretch.staged or self._other > max(_TRIES, self._same):
            return None
        rows = _Rows(stretch)
        if self._is_same(rows):
            self._same += 1
            return rows.block()
        self._other += 1
        return None

    def _is_same(self, rows: _Rows) -> bool:
        if self._tree.folder_rows([path for _, path in rows.folders]) != [
            rows.row(number) for number, _ in rows.folders
        ]:
            return False
        changing = [path for _, path in rows.folders if not self._is_immutable(path)]
        return all(
            self._tree.children(folder, rows.begin, rows.end) == list(map(rows.row, rows.children(folder)))
            for folder in (*rows.above, *changing)
        )

    def _is_immutable(self, folder: bytes) -> bool:
        return folder not in self._young and self._immutable.matches(folder, is_folder=True)


class _Rows:
    """The rows of the base in a stretch.

    :ivar folders: the numbers and paths of those that are folders.
    :ivar above: the root, and the folders that begin before the stretch and may reach into it: those that hold its
        first path, and those whose name this path goes on with what sorts before ``/`` (``a``, ``a-b``, ``a/x``).
    """

    def __init__(self, stretch: Stretch) -> None:
        self.begin, self.end = stretch.begin, stretch.end
        self._base = stretch.base
        self._sizes = memoryview(self._base.sizes).cast("q")
        self._times = memoryview(self._base.times).cast("q")
        self._modes = memoryview(self._base.modes).cast("h")
        self._paths = _Paths(self._base)
        self._first = bisect_left(self._paths, self.begin)
        self._last = len(self._paths) if self.end is None else bisect_left(self._paths, self.end)
        self.folders = [(number, self._paths[number]) for number in self._folder_rows()]
        ends = [place for place, byte in enumerate(self.begin) if byte <= _SLASH]
        self.above = [b"", *(self.begin[:place] for place in ends)]

    def row(self, number: int) -> Row:
        """Return a row as a listing shows it."""
        facts = (self._base.codes[number], self._sizes[number], self._times[number], self._modes[number])
        return self._paths[number], *facts, self._base.links.get(number), None

    def children(self, folder: bytes) -> Iterator[int]:
        """Yield the numbers of the rows of what is directly in a folder."""
        prefix = folder + b"/" if folder else b""
        at = bisect_left(self._paths, prefix, self._first, self._last)
        while at < self._last and (path := self._paths[at]).startswith(prefix):
            slash = path.find(b"/", len(prefix))
            if slash < 0:
                yield at
                at += 1
            else:
                at = bisect_left(self._paths, path[:slash] + AFTER_SLASH, at, self._last)

    def block(self) -> Block:
        """Return the block of a stretch in which all is as it was."""
        kept = slice(self._first, self._last)
        files = self._base.codes.count(FILE_CODE, self._first, self._last)
        counts = Counts(listed=self._last - self._first, listed_files=files, listed_bytes=sum(self._sizes[kept]))
        return Block(counts, folders=self._open())

    def _open(self) -> list[bytes]:
        """Return the folders, with ``/``, that may hold what follows the stretch."""
        end = self.end
        if end is None:
            return []
        names = (path + b"/" for _, path in self.folders)
        return [name for name in names if name >= end or end.startswith(name)]

    def _folder_rows(self) -> Iterator[int]:
        number = self._base.codes.find(DIR_CODE, self._first, self._last)
        while number >= 0:
            yield number
            number = self._base.codes.find(DIR_CODE, number + 1, self._last)


class _Paths:
    """The paths of the base, each made when it is asked for."""

    def __init__(self, columns: Columns) -> None:
        self._text = columns.text
        self._offsets = memoryview(columns.offsets).cast("i")

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, row: int) -> bytes:
        return self._text[self._offsets[row] : self._offsets[row + 1]]
