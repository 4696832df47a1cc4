"""Decide, for one stretch of paths, what differs between the source and what is known of it. Pure but for the listing.

This runs in helper processes: it takes plain values, needs nothing but the standard library, and answers with what
differs, so that a million equal files cost a million comparisons and nothing else. A path can be known from three
sides:

- the *base*, the point before: its bytes are at the target;
- what this run *held* after its last complete pass, where that differs from the base;
- what passes of this run *staged* after that, before they were cut off.

What this run held or staged stays when the source loses it, with the folders that it needs; whether these are there is
told at the end, where all stretches come together.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import repeat
from operator import itemgetter, ne

from incorta_provider.dr.diff import looks_unchanged
from incorta_provider.dr.manifest import (
    AFTER_SLASH,
    DIR_CODE,
    FILE_CODE,
    KINDS,
    Entry,
    Kind,
    OpenFolders,
    Row,
    from_row,
)
from incorta_provider.storage.exclude import Exclude
from incorta_provider.storage.flow.throttle import alive, inherited, lent
from incorta_provider.storage.survey.stretch import Block, Columns, Finding, Lost, Result, Stretch, finding_of
from incorta_provider.storage.tree import RangedTree, Runs, runs_of

BLOCK_FINDINGS = 20_000
"""So many end a block: bounds memory, and what goes through a pipe at once."""


class _Base:
    """The rows of the base in a stretch."""

    def __init__(self, columns: Columns, begin: bytes, end: bytes | None) -> None:
        offsets = memoryview(columns.offsets).cast("i").tolist()
        self.paths = list(map(columns.text.__getitem__, map(slice, offsets, offsets[1:])))
        self.codes = columns.codes
        self.sizes = memoryview(columns.sizes).cast("q")
        self.times = memoryview(columns.times).cast("q")
        self.modes = memoryview(columns.modes).cast("h")
        self.links = columns.links
        self.first = bisect_left(self.paths, begin)
        self.last = len(self.paths) if end is None else bisect_left(self.paths, end)

    def rows(self, first: int, count: int) -> list[Row]:
        """Return rows as a listing would, up to the last one; a link's is never equal, because its target is not
        there.
        """
        kept = slice(first, min(first + count, self.last))
        facts = (self.codes[kept], self.sizes[kept], self.times[kept], self.modes[kept])
        return list(zip(self.paths[kept], *facts, repeat(None), repeat(None), strict=False))

    def entry(self, row: int) -> Entry:
        """Return one entry, without digest and version: these stay where the manifest is."""
        facts = (self.sizes[row], self.times[row], self.modes[row])
        return Entry(self.paths[row], KINDS[self.codes[row]], *facts, link_target=self.links.get(row))

    def below(self, folder: bytes) -> tuple[int, int]:
        """Return the first row of a folder's content, and the one after its last."""
        return bisect_left(self.paths, folder + b"/"), bisect_left(self.paths, folder + AFTER_SLASH, hi=self.last)

    def subfolders(self, first: int, last: int, skip: int) -> list[bytes]:
        """Return the names of the folders among some rows whose paths have no ``/`` after ``skip`` bytes."""
        found = []
        while (first := self.codes.find(DIR_CODE, first, last)) >= 0:
            name = self.paths[first][skip:]
            if b"/" not in name:
                found.append(name)
            first += 1
        return found


class Listing:
    """A tree's rows in runs, with a look at the next one; stretches that follow each other may share it."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self.run = next(runs, None)

    def before(self, end: bytes | None) -> Sequence[Row]:
        """Return the part of the run that is before ``end``; nothing when there is none, or when all was listed."""
        run = self.run
        if run is None or end is None or run[-1][0] < end:
            return run or ()
        return run[: bisect_left(run, end, key=itemgetter(0))]

    def advance(self, behind: Sequence[Row], only: Sequence[bytes] | None) -> None:
        """Continue after a part of the run; see :class:`RangedTree` for the answer ``only``."""
        if self.run is not None and len(behind) < len(self.run):
            self.run = self.run[len(behind) :]
            return
        alive()
        try:
            self.run = self._runs.send(only)
        except StopIteration:
            self.run = None


class Judge:
    """Judges the first block of a stretch, in whatever process it is called.

    :param immutable: patterns of the folders whose files never change: where such a folder has the time that the base
        has, its files are taken as unchanged.
    """

    def __init__(self, tree: RangedTree, immutable: Sequence[str] = ()) -> None:
        self._tree = tree
        self._immutable = tuple(immutable)
        self._inherit = inherited()

    def __call__(self, stretch: Stretch) -> Block:
        """Return what was found up to the end of the stretch, or to where the block is full."""
        with lent(self._inherit):
            listing = Listing(runs_of(self._tree, stretch.begin, stretch.end))
            return next(judged(stretch, listing, self._immutable))


def judged(stretch: Stretch, listing: Listing, immutable: Sequence[str] = ()) -> Iterator[Block]:
    """Yield what is found in a stretch, in blocks; the listing is left at the first row after it."""
    return _Judgement(stretch, listing, Exclude(immutable)).blocks()


class _Judgement:
    def __init__(self, stretch: Stretch, listing: Listing, immutable: Exclude) -> None:
        self._stretch = stretch
        self._listing = listing
        self._immutable = immutable
        self._base = _Base(stretch.base, stretch.begin, stretch.end)
        own = stretch.held.keys() | stretch.staged.keys()
        self._all_own = sorted(path for path in own if path >= stretch.begin)
        self._own = self._all_own[::-1]
        self._folders = OpenFolders()
        self._passed: dict[bytes, int] = {}
        self._block = Block()
        self._at = self._base.first

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks."""
        end, listing = self._stretch.end, self._listing
        while run := listing.before(end):
            listing.advance(run, self._answer(run))
            if len(self._block.findings) >= BLOCK_FINDINGS and (following := listing.before(end)):
                self._absent_before(following[0][0])
                yield self._full(following[0][0])
        self._absent_before(None)
        yield self._full(None)

    def _answer(self, run: Sequence[Row]) -> Sequence[bytes] | None:
        """Settle a run; return the names that are looked at in a folder that is passed over."""
        only = None
        self._absent_before(run[0][0])
        if self._is_same(run):
            if run[0][1] == DIR_CODE:
                self._folders.enter(run[0][0])
                only = self._pass_over(run[0][0]) if self._immutable else None
            self._take(len(run))
            return only
        if self._is_new(run):
            self._new(run)
            return None
        while run:
            same = self._same_rows(run)
            self._take(same)
            for row in run[same : same + 1]:
                self._absent_before(row[0])
                self._present(row)
            run = run[same + 1 :]
        return None

    def _is_new(self, run: Sequence[Row]) -> bool:
        """Tell whether a run is of files whose paths nothing knows: nearly all that a first sync lists."""
        last = run[-1][0]
        if self._owns_up_to(last) or (self._at < self._base.last and self._base.paths[self._at] <= last):
            return False
        return len(run) == sum(row[1] == FILE_CODE for row in run)

    def _new(self, run: Sequence[Row]) -> None:
        """Have a run of files copied that nothing knows."""
        counts = self._block.counts
        counts.listed += len(run)
        counts.listed_files += len(run)
        counts.listed_bytes += sum(row[2] for row in run)
        counts.added += len(run)
        paths, asked = map(itemgetter(0), run), map(from_row, run)
        facts = (repeat(-1), repeat(Result.GIVEN), repeat(None), asked, repeat(Lost.NO))
        self._block.findings += map(finding_of, zip(paths, *facts, strict=False))

    def _same_rows(self, run: Sequence[Row]) -> int:
        """Return how many of the first rows of a run are what the base has next."""
        if self._owns_up_to(run[-1][0]):
            run = run[:1]
        if self._owns_up_to(run[0][0]):
            return 0
        known = self._base.rows(self._at, len(run))
        return next((number for number, pair in enumerate(zip(run, known, strict=False)) if ne(*pair)), len(known))

    def _is_same(self, run: Sequence[Row]) -> bool:
        """Tell whether the base has just this run: true of nearly all, so that this is all that a file costs here."""
        return run == self._base.rows(self._at, len(run)) and not self._owns_up_to(run[-1][0])

    def _owns_up_to(self, path: bytes) -> bool:
        return bool(self._own) and self._own[-1] <= path

    def _take(self, count: int) -> None:
        """Count rows of the base as listed, and continue after them."""
        kept = slice(self._at, self._at + count)
        counts = self._block.counts
        counts.listed += count
        counts.listed_files += self._base.codes[kept].count(FILE_CODE)
        counts.listed_bytes += sum(self._base.sizes[kept])
        self._at += count

    def _full(self, rest: bytes | None) -> Block:
        """Close the block that ends before ``rest``."""
        block, self._block = self._block, Block()
        block.rest = rest
        block.folders = self._folders.open_at(self._stretch.end if rest is None else rest)
        return block

    def _pass_over(self, folder: bytes) -> Sequence[bytes] | None:
        """Return the only names that are looked at in an unchanged folder; None for all of them."""
        prefix = folder + b"/"
        if folder in self._stretch.young or not self._immutable.matches(folder, is_folder=True):
            return None
        if bisect_left(self._all_own, prefix) < bisect_left(self._all_own, folder + AFTER_SLASH):
            return None
        first, last = self._base.below(folder)
        names = self._base.subfolders(first, last, len(prefix))
        self._passed[prefix] = 0 if names else last
        return names

    def _absent_before(self, path: bytes | None) -> None:
        """Settle what is known of paths before ``path``, all for None, which the source does not have."""
        while True:
            former = self._base.paths[self._at] if self._at < self._base.last else None
            own = self._own[-1] if self._own else None
            first = min(filter(None, (former, own)), default=None)
            if first is None or (path is not None and first >= path):
                return
            if first == former and self._is_passed(first):
                continue
            if first == own:
                self._own.pop()
            self._absent(first, self._at if first == former else -1)
            if first == former:
                self._at += 1

    def _is_passed(self, path: bytes) -> bool:
        """Take what is in a folder that was passed over as unchanged."""
        if not self._passed:
            return False
        last = self._passed.get(path[: path.rfind(b"/") + 1])
        if last is None or self._base.codes[self._at] == DIR_CODE:
            return False
        self._take(last - self._at if last else 1)
        return True

    def _present(self, row: Row) -> None:
        """Settle a path that the source has, and that is not known just so."""
        path, listed, base, former = row[0], from_row(row), -1, None
        if self._own and self._own[-1] == path:
            self._own.pop()
        if self._at < self._base.last and self._base.paths[self._at] == path:
            base, former = self._at, self._base.entry(self._at)
            self._at += 1
        self._count(listed, former)
        if listed.kind is Kind.FILE:
            self._file(listed, base, former)
            return
        if listed.kind is Kind.DIR:
            self._folders.enter(path)
        if listed != former:
            self._find(Finding(path, base, Result.GIVEN, listed))

    def _file(self, listed: Entry, base: int, former: Entry | None) -> None:
        path = listed.path
        for own in (self._stretch.staged.get(path), self._stretch.held.get(path)):
            if own is not None and looks_unchanged(own, listed):
                known = listed._replace(sha256=own.sha256, version=own.version)
                self._find(Finding(path, base, Result.GIVEN, known))
                return
        if former is None or not looks_unchanged(former, listed):
            self._ask(listed, base, former)
        elif (former.mtime_ns, former.mode) != (listed.mtime_ns, listed.mode):
            self._find(Finding(path, base, Result.RECALLED, listed))

    def _ask(self, listed: Entry, base: int, former: Entry | None) -> None:
        """Have a file copied; until then, and if it cannot be, the version that this run has stays."""
        path, stretch = listed.path, self._stretch
        result, entry = Result.GIVEN, stretch.staged.get(path)
        if entry is None and path in stretch.held:
            entry = stretch.held[path]
            entry = entry if entry is not None and entry.kind is Kind.FILE else None
        elif entry is None and stretch.carry and former is not None and former.kind is Kind.FILE:
            result = Result.BASE
        self._find(Finding(path, base, result, entry, asked=listed))

    def _absent(self, path: bytes, base: int) -> None:
        """Settle a path that the source does not have: what this run has of it is carried, if its folder is there."""
        stretch = self._stretch
        if base >= 0 and self._base.codes[base] == FILE_CODE:
            self._block.counts.removed += 1
            self._block.counts.removed_in.add(_top(path))
        result, entry = Result.GIVEN, stretch.staged.get(path)
        if entry is None and path in stretch.held:
            entry = stretch.held[path]
        elif entry is None and stretch.carry and base >= 0:
            result = Result.BASE
        if entry is None and result is Result.GIVEN:
            if base >= 0:
                self._find(Finding(path, base, result, None))
            return
        lost = Lost.HELD if self._folders.has_parent_of(path) else Lost.UNSURE
        self._find(Finding(path, base, result, entry, lost=lost))

    def _count(self, listed: Entry, former: Entry | None) -> None:
        counts = self._block.counts
        counts.listed += 1
        was_file = former is not None and former.kind is Kind.FILE
        if listed.kind is Kind.FILE:
            counts.listed_files += 1
            counts.listed_bytes += listed.size
            counts.added += not was_file
            counts.changed += was_file and former is not None and not looks_unchanged(former, listed)
        elif was_file:
            counts.removed += 1
            counts.removed_in.add(_top(listed.path))

    def _find(self, finding: Finding) -> None:
        self._block.findings.append(finding)


def _top(path: bytes) -> bytes:
    return path.partition(b"/")[0] if b"/" in path else b""
