"""What the transfer engine needs of a source, one class per kind of storage.

A new kind of source is one module with a class that fits :class:`Tree`, and one line in
:mod:`incorta_provider.storage.url`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from enum import StrEnum
from typing import Literal, Protocol, runtime_checkable

from incorta_provider.dr.manifest import DIR_CODE, Entry, Row

_RUN = 256
"""How many rows are held back at most, for others to come with them."""

Parallel = Literal["processes", "threads"]
Rows = Generator[Row, Sequence[bytes] | None, None]
"""A listing. The answer to the row of a folder names what is looked at in it, where not all is."""

Runs = Generator[Sequence[Row], Sequence[bytes] | None, None]
"""The same in runs: a folder's row is one by itself, to be answered; other rows come together."""


class Missed(StrEnum):
    """Why a file was not copied; neither is an error by itself.

    ``VANISHED``: it was gone when its turn came. ``UNSETTLED``: it changed under every try.
    """

    VANISHED = "vanished"
    UNSETTLED = "unsettled"


class Tree(Protocol):
    """A source of files."""

    @property
    def label(self) -> str:
        """Its address, for messages."""

    def check(self) -> None:
        """Refuse a source that is absent, no folder, unreadable or empty.

        :raises PreconditionError: says which.
        """

    def list(self, begin: bytes = b"", end: bytes | None = None) -> Iterator[Entry]:
        """Yield what is below the root in path order, without digests.

        Ranges of paths can be listed in parallel; put together they are the whole.

        :param begin: the first path that may be yielded.
        :param end: the first one after ``begin`` that may not; None for none.
        :raises IntegrityError: a folder cannot be read, a link leads out of the root, or there is a special file.
        """

    def fetch(self, entry: Entry, into: bytes) -> Entry | Missed:
        """Copy one file to ``into`` and return what was copied: its own size, time, mode and digest.

        :param into: path of a local file to make; there is none when this returns :class:`Missed` or raises.
        :raises FileExistsError: there is one already.
        :raises IntegrityError: the file may not be read.
        """


@runtime_checkable
class RangedTree(Tree, Protocol):
    """A source whose ranges are listed in parallel.

    :ivar parallel: ``processes``: it can be pickled, and listing takes a processor's time; ``threads``: it waits.
    """

    parallel: Parallel

    def pinned(self) -> RangedTree:
        """Return the same tree, whose listings refuse another root than the one that is there now.

        Without it a source that is unmounted between two ranges looks as if it had lost what is in the second.
        """

    def cuts(self, wanted: int) -> Sequence[bytes]:
        """Return sorted paths that cut the tree into about as many parts as are ``wanted``; none if it takes long."""

    def rows(self, begin: bytes = b"", end: bytes | None = None) -> Rows:
        """Yield what ``list`` does, as rows; who answers the row of a folder with names has only these looked at."""


@runtime_checkable
class MountedTree(Tree, Protocol):
    """A source inside of which other file systems may be mounted."""

    def mounts(self) -> Sequence[bytes]:
        """Return where they are, as paths."""

    def is_bare(self, folder: bytes) -> bool:
        """Tell whether there is nothing in a folder, or no such folder; not of one that is left out.

        :raises DrError: it cannot be read.
        """


@runtime_checkable
class FlatTree(Tree, Protocol):
    """A source that has no folders, such as a bucket: a file that it lost needs none to stay in the point."""

    without_folders: Literal[True]


@runtime_checkable
class AskedTree(Tree, Protocol):
    """One that can be asked about one path; of any other, a listing of that path alone is short."""

    def holds(self, path: bytes) -> bool:
        """Tell whether there is a file at a path, without a listing."""


@runtime_checkable
class TreeInRuns(RangedTree, Protocol):
    """One that is listed so fast that what Python does for each row would be felt."""

    def runs(self, begin: bytes = b"", end: bytes | None = None) -> Runs:
        """Yield what ``rows`` does, in runs."""


@runtime_checkable
class GlimpsedTree(RangedTree, Protocol):
    """One whose folders can be looked at by themselves, at once."""

    def folder_rows(self, folders: Sequence[bytes]) -> Sequence[Row | None]:
        """Return what ``rows`` would yield for each folder; None for what is not a folder any more, or is left out."""

    def children(self, folder: bytes, begin: bytes, end: bytes | None) -> Sequence[Row]:
        """Return what ``rows`` would yield for what is directly in a folder, of the paths in a range."""


def runs_of(tree: RangedTree, begin: bytes = b"", end: bytes | None = None) -> Runs:
    """Yield a tree's rows in runs."""
    return tree.runs(begin, end) if isinstance(tree, TreeInRuns) else in_runs(tree.rows(begin, end))


def in_runs(rows: Rows) -> Runs:
    """Put the rows of a listing together."""
    run: list[Row] = []
    row = next(rows, None)
    while row is not None:
        only = None
        if row[1] == DIR_CODE:
            if run:
                yield run
                run = []
            only = yield [row]
        else:
            run.append(row)
        try:
            row = rows.send(only)
        except StopIteration:
            row = None
        if len(run) >= _RUN:
            yield run
            run = []
    if run:
        yield run
