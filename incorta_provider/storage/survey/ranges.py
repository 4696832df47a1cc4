"""List and judge a source in stretches of paths: in parallel where that pays, always in path order.

Small trees are judged where they are asked for: to start helper processes takes longer than to list a few thousand
files. So are sources that cannot be listed in ranges.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain, zip_longest
from types import TracebackType
from typing import NamedTuple, Self, TypeGuard

from incorta_provider.dr.manifest import to_row
from incorta_provider.storage.copying.helpers import Helpers
from incorta_provider.storage.manifest.base_rows import BaseRows, SomeRows
from incorta_provider.storage.manifest.cursor import Cursor, as_edits
from incorta_provider.storage.survey.baseline import Baseline
from incorta_provider.storage.survey.glimpse import Glimpse
from incorta_provider.storage.survey.judging import Judge, Listing, judged
from incorta_provider.storage.survey.stretch import Block, Stretch
from incorta_provider.storage.tree import GlimpsedTree, RangedTree, Rows, Runs, Tree, in_runs, runs_of

MANY_ROWS = 100_000
"""From this many files on, other processes are started: each costs as much as to list some twenty thousand files."""

GROUPS = 2
"""So many groups of the base's rows make a stretch: some megabytes in each process, and many more than processes."""

LISTERS = min(max(2, os.cpu_count() or 1) + 1, 8)
"""One more than processors: with a network file system there is some waiting, but each takes a moment to start."""

_PARTS = 64
"""A tree whose folders are not known beforehand is cut into this many parts."""


class Found(NamedTuple):
    """One block of findings.

    :ivar rows: what their row numbers refer to.
    :ivar behind: where the next block begins; None for the last one.
    """

    rows: SomeRows
    block: Block
    behind: bytes | None


def found_in(source: Tree, known: Baseline, base: BaseRows, immutable: Sequence[str]) -> Generator[Found, None, None]:
    """Yield what is found in a source, in path order.

    :param immutable: see :class:`~incorta_provider.storage.survey.judging.Judge`. Where the source cannot be listed in
        ranges, or nothing tells which folders the base found changed, everything is looked at.
    """
    ranged = source.pinned() if isinstance(source, RangedTree) else None
    young = known.young() if ranged and immutable else None
    search = _Search(known, base, immutable if young is not None else (), young or frozenset())
    begin: bytes | None = b""
    if ranged is None:
        yield from search.in_one_stream(in_runs(_rows_of(source)))
        return
    if known.rows() < MANY_ROWS:
        begin = yield from search.first_of(ranged)
    if begin is not None:
        yield from search.beside_each_other(ranged, begin)


class _Search:
    def __init__(self, known: Baseline, base: BaseRows, immutable: Sequence[str], young: frozenset[bytes]) -> None:
        self._known = known
        self._base = base
        self._immutable = immutable
        self._young = young

    def in_one_stream(self, runs: Runs) -> Generator[Found, None, None]:
        """Judge one listing, stretch by stretch."""
        listing = Listing(runs)
        for some, stretch in self._stretches(b"", self._known_cuts()):
            for block in judged(stretch, listing, self._immutable):
                yield Found(some, block, block.rest or stretch.end)

    def first_of(self, tree: RangedTree) -> Generator[Found, None, bytes | None]:
        """Judge a small tree here; return where what is left of it begins when it turns out to be a large one."""
        listed = 0
        for found in self.in_one_stream(runs_of(tree)):
            yield found
            listed += found.block.counts.listed
            if listed >= MANY_ROWS:
                return found.behind
        return None

    def beside_each_other(self, tree: RangedTree, begin: bytes) -> Generator[Found, None, None]:
        """Judge stretches in processes or threads, as it suits the source, from ``begin`` on."""
        glimpse = Glimpse(tree, self._immutable, self._young) if self._sees_folders(tree) else None
        running: deque[tuple[SomeRows, Stretch, Future[Block]]] = deque()
        with _Judges(tree, self._immutable) as judges:
            for some, stretch in self._stretches(begin, self._cuts(tree, begin)):
                same = glimpse.unchanged(stretch) if glimpse else None
                running.append((some, stretch, _done(same) if same else judges.submit(stretch)))
                if len(running) > LISTERS + 1:
                    yield from _finished(judges, *running.popleft())
            while running:
                yield from _finished(judges, *running.popleft())

    def _sees_folders(self, tree: RangedTree) -> TypeGuard[GlimpsedTree]:
        return bool(self._immutable) and isinstance(tree, GlimpsedTree)

    def _cuts(self, tree: RangedTree, begin: bytes) -> Sequence[bytes]:
        """Return where to cut: along what is known, so that each part takes about as long; else along folders."""
        cuts = self._known_cuts()
        if len(cuts) < LISTERS:
            cuts = tree.cuts(_PARTS)
        return [cut for cut in cuts if cut > begin]

    def _known_cuts(self) -> Sequence[bytes]:
        return max(self._base.cuts(GROUPS), self._known.held_cuts(GROUPS), key=len)

    def _stretches(self, begin: bytes, cuts: Sequence[bytes]) -> Iterator[tuple[SomeRows, Stretch]]:
        held, copied = Cursor(self._known.held_edits()), Cursor(as_edits(self._known.staged()))
        deque(chain(held.before(begin), copied.before(begin)), maxlen=0)
        carry = self._known.held is not None
        for first, end in zip_longest((begin, *cuts), cuts):
            rows = self._base.between(first, end)
            staged = {path: entry for path, entry in copied.before(end) if entry is not None}
            yield rows, Stretch(first, end, rows.columns(), dict(held.before(end)), staged, carry, self._young)


class _Judges:
    """The workers that judge stretches in parallel; they start with the first stretch."""

    def __init__(self, tree: RangedTree, immutable: Sequence[str]) -> None:
        self._in_processes = tree.parallel == "processes"
        self._judge: Callable[[Stretch], Block] = Judge(tree, immutable)
        self._pool: ThreadPoolExecutor | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def submit(self, stretch: Stretch) -> Future[Block]:
        """Have the first block of a stretch judged."""
        if self._pool is None:
            if self._in_processes:
                self._judge = self._stack.enter_context(Helpers(self._judge, LISTERS))
            self._pool = ThreadPoolExecutor(LISTERS)
            self._stack.callback(self._pool.shutdown, wait=True, cancel_futures=True)
        return self._pool.submit(self._judge, stretch)


def _done(block: Block) -> Future[Block]:
    future: Future[Block] = Future()
    future.set_result(block)
    return future


def _finished(judges: _Judges, rows: SomeRows, stretch: Stretch, future: Future[Block]) -> Iterator[Found]:
    """Yield the blocks of a stretch; nearly always there is one."""
    block = future.result()
    yield Found(rows, block, block.rest or stretch.end)
    while block.rest is not None:
        block = judges.submit(replace(stretch, begin=block.rest)).result()
        yield Found(rows, block, block.rest or stretch.end)


def _rows_of(source: Tree) -> Rows:
    """Yield the rows of a source that only lists entries; it cannot pass a folder over."""
    for entry in source.list():
        yield to_row(entry)
