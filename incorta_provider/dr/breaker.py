"""The change breaker: what a pass over the source found, held against limits, before anything is sealed.

A source that was emptied, halved or overwritten looks like any other to a copy, and the copy would make the loss
official. So a point that lacks too much of the one before it, or has too much of it changed, is held until a person has
looked. Content counts: a file counts as changed only if its content did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import Field

from incorta_provider.dr.diff import Change, ChangeKind, same_content
from incorta_provider.dr.frozen import FrozenModel
from incorta_provider.dr.manifest import Entry, Kind, shown

FOLDERS_SHOWN = 5
EXAMPLES_SHOWN = 3

_FOLDERS_COUNTED = 10_000
"""Beyond this many folders the others count as one: a tally stays small whatever the source looks like."""


class Limits(FrozenModel):
    """What a recovery point may differ from the one before it without a person's word.

    The defaults hold a loss of more than 40 % of all files and a change of more than half, once it is more than a
    hundred: a source of which half is not there, or was not listed, does not pass.

    :ivar max_removed_percent: of the files of the point before.
    :ivar max_changed_percent: of the files of the point before.
    :ivar allow_files: this many files may be removed or changed, whatever their share is.
    :ivar max_removed_files: however small their share is.
    :ivar max_changed_files: however small their share is.
    :ivar min_files: a point must have at least this many.
    :ivar marker: a file that must be at the source, relative to the root of its storage.
    """

    max_removed_percent: float = Field(default=40, ge=0, le=100)
    max_changed_percent: float = Field(default=50, ge=0, le=100)
    allow_files: int = Field(default=100, ge=0)
    max_removed_files: int | None = Field(default=None, ge=0)
    max_changed_files: int | None = Field(default=None, ge=0)
    min_files: int = Field(default=1, ge=0)
    marker: str | None = Field(default=None, pattern=r"^[^/].*$")


@dataclass(frozen=True, slots=True)
class Share:
    """A number of files, and what a person needs to recognise them.

    :param size: bytes in all.
    :param folders: those with the most of them, with their numbers.
    :param examples: the first of their names.
    """

    files: int = 0
    size: int = 0
    folders: tuple[tuple[bytes, int], ...] = ()
    examples: tuple[bytes, ...] = ()

    def in_words(self) -> str:
        """Return where they are, in words."""
        where = ", ".join(f"{count} in {shown(folder) or 'the root'}/" for folder, count in self.folders)
        names = ", ".join(shown(path) for path in self.examples)
        return f"{where}; such as {names}" if self.files else "none"


@dataclass(frozen=True, slots=True)
class Facts:
    """How the point to be differs from the one before it; counts are of files.

    :param base_files: of the point before; None when this is the first.
    """

    base_files: int | None
    files: int
    added: Share
    changed: Share
    removed: Share


def tripped(facts: Facts, limits: Limits) -> list[str]:
    """Return why the breaker trips, one sentence a reason; empty when it does not."""
    reasons = []
    if facts.files < limits.min_files:
        reasons.append(f"{facts.files} file(s) are left, at least {limits.min_files} are expected")
    if facts.base_files is None:
        return reasons
    for share, verb, percent, number in (
        (facts.removed, "removed", limits.max_removed_percent, limits.max_removed_files),
        (facts.changed, "changed", limits.max_changed_percent, limits.max_changed_files),
    ):
        if limit := _exceeded(share.files, facts.base_files, limits.allow_files, percent, number):
            part = _percent(share.files, facts.base_files)
            reasons.append(
                f"{share.files} of {facts.base_files} files ({part}) were {verb}, allowed are {limit}: "
                f"{share.in_words()}"
            )
    return reasons


def _exceeded(files: int, of: int, allowed: int, percent: float, number: int | None) -> str | None:
    if number is not None and files > number:
        return str(number)
    if files > allowed and files * 100 > percent * of:
        return f"{percent:g} %"
    return None


def _percent(files: int, of: int) -> str:
    return f"{100 * files / of:.1f} %" if of else "of none"


def tally(changes: Iterable[Change], *, base_files: int | None, files: int) -> Facts:
    """Count what leads from the point before to the one to be, in one pass over the differences.

    :param base_files: how many files the point before has; None when there is none.
    :param files: how many files the one to be has.
    """
    counts = {kind: _Count() for kind in ChangeKind}
    for change in changes:
        kind, entry = _of_files(change)
        if entry is not None:
            counts[kind].add(entry)
    added, changed, removed = (counts[kind].share() for kind in ChangeKind)
    return Facts(base_files, files, added, changed, removed)


def _of_files(change: Change) -> tuple[ChangeKind, Entry | None]:
    """Return what a difference means for files; no entry when it means nothing for them."""
    old = change.old if change.old is not None and change.old.kind is Kind.FILE else None
    new = change.new if change.new is not None and change.new.kind is Kind.FILE else None
    if old is None:
        return ChangeKind.ADDED, new
    if new is None:
        return ChangeKind.REMOVED, old
    return ChangeKind.CHANGED, None if same_content(old, new) else new


class _Count:
    def __init__(self) -> None:
        self._files = 0
        self._size = 0
        self._folders: Counter[bytes] = Counter()
        self._examples: list[bytes] = []

    def add(self, entry: Entry) -> None:
        self._files += 1
        self._size += entry.size
        folder = _folder(entry.path)
        if folder not in self._folders and len(self._folders) >= _FOLDERS_COUNTED:
            folder = b"(others)"
        self._folders[folder] += 1
        if len(self._examples) < EXAMPLES_SHOWN:
            self._examples.append(entry.path)

    def share(self) -> Share:
        most = sorted(self._folders.items(), key=lambda item: (-item[1], item[0]))[:FOLDERS_SHOWN]
        return Share(self._files, self._size, tuple(most), tuple(self._examples))


def _folder(path: bytes) -> bytes:
    """Return the upper folders of a path: a tenant and what is right below it, in an Incorta storage."""
    return b"/".join(path.split(b"/")[:-1][:2])
