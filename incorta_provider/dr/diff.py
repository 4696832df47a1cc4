"""Compare two lists of files, both in path order, each read once: memory does not grow with the tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from incorta_provider.dr.manifest import Entry, Kind

_GRANULES_NS = (1_000_000_000, 1_000_000, 1_000, 100)
"""The resolutions that storages keep times in: whole seconds, milli- and microseconds, and 100 ns (SMB, NTFS)."""


class ChangeKind(StrEnum):
    """How an entry differs between two lists."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


class Change(NamedTuple):
    """One difference; ``old`` is None when added, ``new`` is None when removed."""

    kind: ChangeKind
    old: Entry | None
    new: Entry | None


def align(old: Iterable[Entry], new: Iterable[Entry]) -> Iterator[tuple[Entry | None, Entry | None]]:
    """Yield both lists side by side, in path order: None stands where a list lacks the path of the other."""
    lefts, rights = iter(old), iter(new)
    left, right = next(lefts, None), next(rights, None)
    while left is not None and right is not None:
        if left.path == right.path:
            yield left, right
            left, right = next(lefts, None), next(rights, None)
        elif left.path < right.path:
            yield left, None
            left = next(lefts, None)
        else:
            yield None, right
            right = next(rights, None)
    while left is not None:
        yield left, None
        left = next(lefts, None)
    while right is not None:
        yield None, right
        right = next(rights, None)


def diff(
    old: Iterable[Entry], new: Iterable[Entry], *, equal: Callable[[Entry, Entry], bool] | None = None
) -> Iterator[Change]:
    """Yield what leads from ``old`` to ``new``, in path order.

    :param equal: when two entries of one path need no change; :func:`same_entry` unless given.
    """
    same = equal or same_entry
    for before, after in align(old, new):
        if before is None:
            yield Change(ChangeKind.ADDED, None, after)
        elif after is None:
            yield Change(ChangeKind.REMOVED, before, None)
        elif not same(before, after):
            yield Change(ChangeKind.CHANGED, before, after)


def same_entry(old: Entry, new: Entry) -> bool:
    """Tell whether two entries are the same in content and in attributes."""
    if not same_content(old, new) or old.mode != new.mode:
        return False
    return old.kind is Kind.LINK or same_mtime(old.mtime_ns, new.mtime_ns)


def same_content(old: Entry, new: Entry) -> bool:
    """Tell whether two entries hold the same.

    Files are compared by size and digest. Where one was only listed, its digest is unknown, and size and time stand
    for it: the rule by which an unchanged file is not read again.
    """
    if old.kind is not new.kind:
        return False
    if old.kind is Kind.LINK:
        return old.link_target == new.link_target
    if old.kind is Kind.DIR:
        return True
    if old.sha256 is None or new.sha256 is None:
        return looks_unchanged(old, new)
    return old.size == new.size and old.sha256 == new.sha256


def looks_unchanged(old: Entry, new: Entry) -> bool:
    """Tell whether a file that was listed again has the size and the time that it had."""
    return old.kind is new.kind is Kind.FILE and old.size == new.size and same_mtime(old.mtime_ns, new.mtime_ns)


def same_mtime(one: int, other: int) -> bool:
    """Compare two times in nanoseconds at the coarser one's resolution: no change comes from a storage that rounds.

    Most storages cut, some round to the nearest, so anything less than one step apart counts as the same.

    >>> same_mtime(1_700_000_000_123_456_789, 1_700_000_000_000_000_000)
    True
    >>> same_mtime(1_700_000_000_123_456_789, 1_700_000_000_123_000_000)
    True
    >>> same_mtime(1_700_000_000_123_456_789, 1_700_000_000_123_456_788)
    False
    """
    if one == other:
        return True
    for granule in _GRANULES_NS:
        if not one % granule or not other % granule:
            return abs(one - other) < granule
    return False
