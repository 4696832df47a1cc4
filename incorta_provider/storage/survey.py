"""The first half of a pass: list the source and decide what must be copied, without reading one file.

The listing is held against the manifest that the pass begins with: that of the point before, or what an earlier pass of
this run has seen. A file with the size and time that it had when its bytes came here keeps its digest. Only what
differs is written down, so that a pass over a million files that did not change costs little more than listing them.

What this run saw in an earlier pass and has, but the source lost since, is carried on: the metadata that are dumped in
between may name it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from incorta_provider.dr.diff import align, looks_unchanged
from incorta_provider.dr.manifest import Entry, Kind, OpenFolders
from incorta_provider.storage.cursor import Cursor, as_edits
from incorta_provider.storage.manifest_file import ManifestWriter
from incorta_provider.storage.workspace import Pass


@dataclass(slots=True)
class Survey:
    """What a listing means for the copy.

    :ivar listed: entries at the source; of these ``listed_files`` are files.
    :ivar carried: files that the source lost since an earlier pass of this run.
    :ivar pending_files: files to copy, ``pending_bytes`` in all.
    """

    listed: int = 0
    listed_files: int = 0
    carried: int = 0
    pending_files: int = 0
    pending_bytes: int = 0


def survey(
    listing: Iterable[Entry], base: Iterable[Entry], staged: Iterable[Entry], files: Pass, *, carry: bool
) -> Survey:
    """Write down how the source differs from ``base``, in the files of a pass.

    :param listing: the source now, without digests.
    :param base: the manifest that the pass begins with; its bytes are at the target.
    :param staged: what passes of this run copied behind ``base`` before they were cut off.
    :param carry: ``base`` is what this run has seen, so that it is kept where the source lost it.
    """
    with (
        ManifestWriter(files.pending) as pending,
        ManifestWriter(files.known) as known,
        ManifestWriter(files.gone) as gone,
    ):
        work = _Work(pending, known, gone, Cursor(as_edits(staged)), carry=carry)
        for listed, former in align(listing, base):
            if listed is not None:
                work.present(listed, former)
            elif former is not None:
                work.absent(former)
        work.carry_rest()
    return work.found


class _Work:
    def __init__(
        self, pending: ManifestWriter, known: ManifestWriter, gone: ManifestWriter, staged: Cursor, *, carry: bool
    ) -> None:
        self.found = Survey()
        self._pending = pending
        self._known = known
        self._gone = gone
        self._staged = staged
        self._carry = carry
        self._folders = OpenFolders()

    def present(self, listed: Entry, former: Entry | None) -> None:
        """Settle a path that the source has."""
        self.found.listed += 1
        staged = self._staged_at(listed.path) if self._staged.reaches(listed.path) else None
        if listed.kind is not Kind.FILE:
            self._take_over(listed, former)
            return
        self.found.listed_files += 1
        if staged is None and former is not None and _is_same(listed, former):
            return
        digest = _digest(listed, staged) or _digest(listed, former)
        if digest is None:
            self._ask_for(listed, former, staged)
        else:
            self._known.add(Entry(listed.path, Kind.FILE, listed.size, listed.mtime_ns, listed.mode, digest))

    def absent(self, former: Entry) -> None:
        """Settle a path that only the base has: carried with its folder, or gone."""
        staged = self._staged_at(former.path) if self._staged.reaches(former.path) else None
        kept = staged or (former if self._carry else None)
        if kept is None or not self._folders.has_parent_of(kept.path):
            self._gone.add(former)
            return
        self.found.carried += kept.kind is Kind.FILE
        if kept.kind is Kind.DIR:
            self._folders.enter(kept.path)
        if kept is staged:
            self._known.add(kept)

    def carry_rest(self) -> None:
        """Settle what was staged behind the last path of source and base."""
        for _, entry in self._staged.rest():
            self._carry_staged(entry)

    def _staged_at(self, path: bytes) -> Entry | None:
        """Carry what was staged before ``path``, and return what was staged at it."""
        found = None
        for name, entry in self._staged.until(path):
            if name == path:
                found = entry
            else:
                self._carry_staged(entry)
        return found

    def _carry_staged(self, entry: Entry | None) -> None:
        if entry is not None and self._folders.has_parent_of(entry.path):
            self.found.carried += 1
            self._known.add(entry)

    def _take_over(self, listed: Entry, former: Entry | None) -> None:
        """Take a folder or a link as it is listed."""
        if listed.kind is Kind.DIR:
            self._folders.enter(listed.path)
        if listed != former:
            self._known.add(listed)

    def _ask_for(self, listed: Entry, former: Entry | None, staged: Entry | None) -> None:
        """Have a file copied; until then, and if it cannot be, the version that this run has stays."""
        self.found.pending_files += 1
        self.found.pending_bytes += listed.size
        self._pending.add(listed)
        if staged is not None:
            self._known.add(staged)
        elif former is not None and not (self._carry and former.kind is Kind.FILE):
            self._gone.add(former)


def _is_same(listed: Entry, former: Entry) -> bool:
    """Tell whether nothing is to be written down: what is true of nearly all files, so it is asked first."""
    return (
        former.mtime_ns == listed.mtime_ns
        and former.size == listed.size
        and former.mode == listed.mode
        and former.sha256 is not None
    )


def _digest(listed: Entry, former: Entry | None) -> bytes | None:
    """Return the digest that a listed file keeps, None when it must be read."""
    return former.sha256 if former is not None and looks_unchanged(former, listed) else None
