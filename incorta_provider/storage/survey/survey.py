"""The first half of a pass: list the source and decide what must be copied, without reading one file.

The listing is held against the point before, and against what earlier passes of this run have. A file with the size and
time that it had when its bytes came here keeps its digest. Only what differs is written down: nothing of a pass grows
with the tree.

The paths are cut into stretches along the base's groups of rows; the stretches are listed and judged in parallel
(:mod:`~incorta_provider.storage.survey.judging`), in helper processes where listing takes a processor's time. Here the
findings come together, in path order.

What this run saw in an earlier pass and has, but the source lost since, is carried on: the metadata that are dumped in
between may name it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from incorta_provider.dr.manifest import Entry, Kind, first_unsafe, leads_inside, parent_of, shown
from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.copying.workspace import Pass
from incorta_provider.storage.manifest.base_rows import BaseRows
from incorta_provider.storage.manifest.delta_file import DeltaWriter, change_between
from incorta_provider.storage.manifest.manifest_file import ManifestWriter
from incorta_provider.storage.survey.baseline import Baseline
from incorta_provider.storage.survey.ranges import Found, found_in
from incorta_provider.storage.survey.stretch import Counts, Finding, Lost, Result
from incorta_provider.storage.tree import FlatTree, Tree


@dataclass(slots=True)
class Survey:
    """What a listing means for the copy.

    :ivar counts: of the listing, and of what changed in it since the point before.
    :ivar carried: files that the source lost since an earlier pass of this run.
    :ivar pending_files: files to copy, ``pending_bytes`` in all.
    :ivar new_folders: folders that the target has to make.
    """

    counts: Counts = field(default_factory=Counts)
    carried: int = 0
    pending_files: int = 0
    pending_bytes: int = 0
    new_folders: int = 0


def survey(source: Tree, known: Baseline, files: Pass, *, immutable: Sequence[str] = ()) -> Survey:
    """Write down how the source differs from what is known, in the files of a pass.

    :param immutable: patterns of the folders that are passed over when they have the time that the base has.
    :raises IntegrityError: the source holds what no recovery point can, or the base is damaged.
    """
    with (
        BaseRows(known.base) as base,
        _Book(source, files, known.base_id) as book,
        closing(found_in(source, known, base, immutable)) as found,
    ):
        for part in found:
            book.add(part)
    return book.survey


class _Book:
    """Writes the findings down, in path order, and tells which of what was lost can stay.

    Everything that a source brings comes through here, so this is where what would leave the root is refused.
    """

    def __init__(self, source: Tree, files: Pass, base_id: str | None) -> None:
        self.survey = Survey()
        self._source = source.label
        self._flat = isinstance(source, FlatTree)
        self._pending = ManifestWriter(files.pending)
        self._draft = DeltaWriter(files.draft, base_id)
        self._folders: set[bytes] = set()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._pending)
            stack.enter_context(self._draft)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def add(self, found: Found) -> None:
        """Write down what one block holds; the block that follows it comes next."""
        block = found.block
        self._ensure_inside(block.findings)
        self.survey.counts.add(block.counts)
        bases = found.rows.entries([finding.base for finding in block.findings if finding.base >= 0])
        self._ask([finding.asked for finding in block.findings if finding.asked is not None])
        for finding in block.findings:
            if finding.base >= 0 or finding.entry is not None:  # of nearly all that a first sync finds nothing is known
                self._write(finding, bases.get(finding.base))
        self._folders.update(block.folders)
        self._folders = {folder for folder in self._folders if _reaches(folder, found.behind)}

    def _ensure_inside(self, findings: Sequence[Finding]) -> None:
        """Refuse names and links that leave the root: a source may be a server that somebody else answers for.

        Keys that go from bucket to bucket are no paths.
        """
        brought = [found.path for found in findings if found.asked is not None or found.entry is not None]
        if not self._flat and (path := first_unsafe(brought)) is not None:
            raise IntegrityError(
                f"the source names {shown(path)}, which is no path inside of it",
                where=self._source,
                fix="Nothing was copied. Find out what answers for the source.",
            )
        for link in (found.entry for found in findings if found.entry is not None):
            if link.link_target and not leads_inside(link.path, link.link_target):
                raise IntegrityError(
                    f"the symbolic link {shown(link.path)} leads out of the storage, to {shown(link.link_target)}",
                    where=self._source,
                    fix="Nothing was copied. Make it relative and inside the storage, not out and back by the name "
                    "of the root, or exclude it in the topology.",
                )

    def _write(self, finding: Finding, old: Entry | None) -> None:
        new = _result(finding, old)
        if finding.lost is not Lost.NO and new is not None:
            new = self._carried(finding, new)
        asked = finding.asked
        if asked is None and old is None and new is not None:
            self.survey.new_folders += new.kind is Kind.DIR
        if new != old or (asked is not None and old is not None):
            self._draft.add(change_between(old, new))

    def _ask(self, asked: Sequence[Entry]) -> None:
        self.survey.pending_files += len(asked)
        self.survey.pending_bytes += sum(entry.size for entry in asked)
        self._pending.extend(asked)

    def _carried(self, finding: Finding, entry: Entry) -> Entry | None:
        """Return what stays of a path that the source lost; nothing without its folder, where there are folders."""
        has_folder = self._flat or finding.lost is Lost.HELD or parent_of(entry.path) + b"/" in self._folders
        if not has_folder:
            return None
        self.survey.carried += entry.kind is Kind.FILE
        if entry.kind is Kind.DIR:
            self._folders.add(entry.path + b"/")
        return entry


def _result(finding: Finding, old: Entry | None) -> Entry | None:
    if finding.result is Result.BASE:
        return old
    if finding.result is Result.RECALLED and finding.entry is not None and old is not None:
        return finding.entry._replace(sha256=old.sha256, version=old.version)
    return finding.entry


def _reaches(folder: bytes, behind: bytes | None) -> bool:
    """Tell whether a folder, given with ``/``, may hold ``behind`` or what follows it."""
    return behind is not None and (folder >= behind or behind.startswith(folder))
