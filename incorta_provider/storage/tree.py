"""What the transfer engine asks of a source, one class per kind of storage.

A new kind of source is one module with a class that fits :class:`Tree`, and one line in
:mod:`incorta_provider.storage.url`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from enum import StrEnum
from typing import Literal, Protocol, runtime_checkable

from incorta_provider.dr.manifest import Entry, Row

Parallel = Literal["processes", "threads"]
Rows = Generator[Row, Sequence[bytes] | None, None]
"""A listing. The answer to the row of a folder names what is looked at in it, where not all is."""


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

        Ranges of paths can be listed beside each other; put together they are the whole.

        :param begin: the first path that may be yielded.
        :param end: the first one behind ``begin`` that may not; None for none.
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
    """A source whose ranges are listed beside each other.

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
