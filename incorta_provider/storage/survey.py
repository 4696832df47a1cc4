"""The first half of a pass: list the source and decide what must be copied, without reading one file.

A file with the size and time that it had when its bytes came here keeps its digest. What this run saw in an earlier
pass and has, but the source lost since, is carried on: the metadata that are dumped in between may name it.
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
    :ivar base_files: files of the point before.
    :ivar reused: files whose bytes are at the target already.
    :ivar carried: files that the source lost since an earlier pass of this run.
    :ivar removed: files of the point before that are no longer there.
    :ivar pending_files: files to copy, ``pending_bytes`` in all.
    """

    listed: int = 0
    listed_files: int = 0
    base_files: int = 0
    reused: int = 0
    carried: int = 0
    removed: int = 0
    pending_files: int = 0
    pending_bytes: int = 0


def survey(listing: Iterable[Entry], own: Iterable[Entry], base: Iterable[Entry], files: Pass) -> Survey:
    """Write what is known to ``files.draft`` and what must be copied to ``files.pending``.

    :param listing: the source now, without digests.
    :param own: what this run has seen and has, from its earlier passes; with digests.
    :param base: the manifest of the point before; its bytes are at the target.
    """
    with ManifestWriter(files.draft) as draft, ManifestWriter(files.pending) as pending:
        work = _Work(draft, pending)
        ours = Cursor(as_edits(own))
        for listed, known in align(listing, base):
            work.decide(listed, known, ours)
        for _, entry in ours.rest():
            work.carry(entry)
    return work.found


class _Work:
    def __init__(self, draft: ManifestWriter, pending: ManifestWriter) -> None:
        self.found = Survey()
        self._draft = draft
        self._pending = pending
        self._folders = OpenFolders()

    def decide(self, listed: Entry | None, known: Entry | None, ours: Cursor) -> None:
        """Settle one path of the source or of the point before, and what this run has up to it."""
        if known is not None and known.kind is Kind.FILE:
            self.found.base_files += 1
        if listed is not None:
            own = self._up_to(listed.path, ours)
            self._listed(listed, own, known)
        elif known is not None:
            own = self._up_to(known.path, ours)
            self._lost(own, known)

    def carry(self, entry: Entry | None) -> None:
        """Keep what this run has and the source lost, unless something else stands where its folder was."""
        if entry is not None and self._folders.has_parent_of(entry.path):
            self.found.carried += entry.kind is Kind.FILE
            self._publish(entry)

    def _up_to(self, path: bytes, ours: Cursor) -> Entry | None:
        """Carry what this run has before ``path``; return what it has at it."""
        own = None
        for own_path, entry in ours.until(path):
            if own_path == path:
                own = entry
            else:
                self.carry(entry)
        return own

    def _lost(self, own: Entry | None, known: Entry) -> None:
        if own is not None:
            self.carry(own)
        else:
            self.found.removed += known.kind is Kind.FILE

    def _listed(self, listed: Entry, own: Entry | None, known: Entry | None) -> None:
        self.found.listed += 1
        if listed.kind is not Kind.FILE:
            self._publish(listed)
            return
        self.found.listed_files += 1
        digest = _digest(listed, own) or _digest(listed, known)
        if digest is not None:
            self.found.reused += 1
            self._publish(Entry(listed.path, Kind.FILE, listed.size, listed.mtime_ns, listed.mode, digest))
            return
        self.found.pending_files += 1
        self.found.pending_bytes += listed.size
        self._pending.add(listed)
        if own is not None and own.kind is Kind.FILE:
            self._publish(own)

    def _publish(self, entry: Entry) -> None:
        if entry.kind is Kind.DIR:
            self._folders.enter(entry.path)
        self._draft.add(entry)


def _digest(listed: Entry, former: Entry | None) -> bytes | None:
    """Return the digest that a listed file keeps, None when it must be read."""
    return former.sha256 if former is not None and looks_unchanged(former, listed) else None
