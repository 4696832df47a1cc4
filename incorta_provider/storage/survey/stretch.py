"""The question and the answer of judging one stretch of paths: plain values, because they go through pipes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import partial
from typing import NamedTuple

from incorta_provider.dr.manifest import Entry


@dataclass(frozen=True, slots=True)
class Columns:
    """A part of the base, as the bytes of its columns: what a process gets without one object a row.

    :ivar offsets: of the paths in ``text``, one more than there are rows; 32 bits each.
    :ivar codes: of the kinds, one byte each.
    :ivar sizes: 64 bits each, as are ``times``; ``modes`` have 16.
    :ivar links: targets of links, by their rows.
    """

    offsets: bytes = bytes(4)
    text: bytes = b""
    codes: bytes = b""
    sizes: bytes = b""
    times: bytes = b""
    modes: bytes = b""
    links: Mapping[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stretch:
    """The paths from ``begin`` on and before ``end``, with all that is known of them.

    :ivar base: may hold paths outside; findings refer to its row numbers.
    :ivar held: what this run held where that differs from the base; None where it held nothing.
    :ivar staged: what was staged after that.
    :ivar carry: this run has completed a pass: it held all of the base but what it did not find.
    :ivar young: folders that the point before found changed: one time may stand for two states of them, of which that
        point saw the first.
    """

    begin: bytes = b""
    end: bytes | None = None
    base: Columns = Columns()
    held: Mapping[bytes, Entry | None] = field(default_factory=dict)
    staged: Mapping[bytes, Entry] = field(default_factory=dict)
    carry: bool = False
    young: Collection[bytes] = ()


class Result(IntEnum):
    """What a path becomes, if nothing is copied.

    ``GIVEN``: the entry of the finding. ``RECALLED``: the same with digest and version of the base. ``BASE``: what the
    base has.
    """

    GIVEN = 0
    RECALLED = 1
    BASE = 2


class Lost(IntEnum):
    """Whether the source lost a path that this run has. It stays where the folder that it lies in stays.

    ``HELD``: the source has that folder. ``UNSURE``: not in this block.
    """

    NO = 0
    HELD = 1
    UNSURE = 2


class Finding(NamedTuple):
    """One path that is to be written down.

    :ivar base: its row in the base; -1 for none.
    :ivar asked: what is to be copied.
    """

    path: bytes
    base: int
    result: Result
    entry: Entry | None
    asked: Entry | None = None
    lost: Lost = Lost.NO


finding_of: Callable[[Iterable[object]], Finding] = partial(tuple.__new__, Finding)
"""Makes a finding of all its values, in their order, in a third of the time that the class takes."""


@dataclass(slots=True)
class Counts:
    """What a listing is, and how its files differ from those of the base.

    :ivar changed: files of another size or time.
    :ivar removed: files of the base that the source does not have.
    :ivar removed_in: the top folders that these were in; empty for the root.
    """

    listed: int = 0
    listed_files: int = 0
    listed_bytes: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    removed_in: set[bytes] = field(default_factory=set)

    def add(self, other: Counts) -> None:
        """Take in those of another stretch."""
        self.listed += other.listed
        self.listed_files += other.listed_files
        self.listed_bytes += other.listed_bytes
        self.added += other.added
        self.changed += other.changed
        self.removed += other.removed
        self.removed_in |= other.removed_in


@dataclass(slots=True)
class Block:
    """What was found in a stretch, or in a part of it.

    :ivar folders: the source's folders, with ``/``, that may hold what follows.
    :ivar rest: where the next block begins; None at the end of the stretch.
    """

    counts: Counts = field(default_factory=Counts)
    findings: list[Finding] = field(default_factory=list)
    folders: list[bytes] = field(default_factory=list)
    rest: bytes | None = None
