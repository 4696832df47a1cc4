"""Check what was staged, before a point rests on it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain

from incorta_provider.dr.diff import same_content
from incorta_provider.dr.manifest import Entry, shown
from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.copying.early_flush import flushing_beside
from incorta_provider.storage.copying.proven import Proven
from incorta_provider.storage.copying.staged_index import newest, newest_proofs
from incorta_provider.storage.copying.work_pool import chunks, in_order, in_threads
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.digests import Reading
from incorta_provider.storage.flow.collecting import collecting_rarely
from incorta_provider.storage.flow.throttle import handed_on
from incorta_provider.storage.flow.watched import Telling
from incorta_provider.storage.manifest.cursor import Cursor, as_edits
from incorta_provider.storage.manifest.delta_file import drop_from_delta, read_brought
from incorta_provider.storage.manifest.manifest_file import edit, read_totals
from incorta_provider.storage.target import Target
from incorta_provider.storage.volume import STEPS

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StagedReport:
    """What reading the staged files again showed.

    :param files: how many were read, ``size`` bytes in all.
    :param damaged: do not hold what was copied; the point must not be sealed.
    :param framing_faults: Parquet files that are not whole yet, and files that changed during every copy. They must not
        be in the manifest.
    """

    files: int
    size: int
    damaged: tuple[bytes, ...]
    framing_faults: tuple[bytes, ...]


@collecting_rarely()
def verify_staged(target: Target, workspace: Workspace) -> StagedReport:
    """See to it that every staged file that the point to be needs holds what was copied.

    What the copier proved and nobody touched since is believed; everything else is read again, and digests compared.

    :raises IntegrityError: the manifest cannot be read.
    :raises LostWritesError: the disk refused a part; what runs under way staged is void.
    """
    with flushing_beside(target, workspace) as found_staged:
        work = _Verification(target, workspace, found_staged)
        reader = target.staged_reader(workspace)
        for batch, readings in in_order(Telling(reader), work.unproven(), reader.limits):
            for entry, reading in zip(batch, readings, strict=True):
                work.judge(entry, reading)
    return work.report()


class _Verification:
    def __init__(self, target: Target, workspace: Workspace, found_staged: Callable[[int], None]) -> None:
        self._target = target
        self._workspace = workspace
        self._found_staged = found_staged
        self._files, self._size = 0, 0
        self._damaged: list[bytes] = []
        self._faults = set(workspace.left_out())

    def unproven(self) -> Iterator[Entry]:
        """Yield what must be read."""
        staged_files = chunks(_staged(self._workspace), STEPS)
        for batch, touched in in_threads(handed_on(self._touched), staged_files, self._target.looks_at_once):
            self._files += len(batch)
            size = sum(staged.entry.size for staged in batch)
            self._size += size
            self._found_staged(size)
            for entry, changed_ns, framing in batch:
                if not changed_ns or entry.path in touched:
                    yield entry
                elif framing:
                    self._fault(entry, framing)

    def judge(self, entry: Entry, reading: Reading) -> None:
        """Compare what a file holds with what was copied."""
        if not reading.holds(entry):
            self._damaged.append(entry.path)
        elif reading.framing is not None:
            self._fault(entry, reading.framing)

    def report(self) -> StagedReport:
        """Return the findings."""
        return StagedReport(self._files, self._size, tuple(self._damaged), tuple(sorted(self._faults)))

    def _touched(self, batch: list[Proven]) -> frozenset[bytes]:
        """Return which proven copies of a batch are not as they were when they were proven."""
        proven = [staged for staged in batch if staged.changed_ns]
        if not proven:
            return frozenset()
        stamps = [staged.changed_ns for staged in proven]
        return frozenset(self._target.touched(self._workspace, [staged.entry for staged in proven], stamps))

    def _fault(self, entry: Entry, framing: str) -> None:
        log.warning("%s is not whole: %s", shown(entry.path), framing)
        self._faults.add(entry.path)


@collecting_rarely()
def ensure_staged(target: Target, workspace: Workspace) -> None:
    """Refuse staged files that were touched since they were read: an apply believes their size and time.

    :raises IntegrityError: names the first of them.
    """
    look = handed_on(partial(target.touched, workspace))
    looks = in_threads(look, chunks(_copies(workspace), STEPS), target.looks_at_once)
    touched = [path for _, found in looks for path in found]
    if touched:
        raise IntegrityError(
            f"{len(touched)} staged file(s) were replaced since they were checked, the first is {shown(touched[0])}",
            where=str(workspace.root),
            fix="Nothing was published. Find out what else writes there; the next run starts over.",
        )


def drop_from_manifest(workspace: Workspace, paths: Iterable[bytes]) -> None:
    """Take files out of the point to be, and of what leads to it; paths that are not in it are fine."""
    dropped = set(paths)
    if not dropped:
        return
    workspace.save_left_out(dropped.union(workspace.left_out()))
    edit(workspace.manifest, workspace.manifest, ((path, None) for path in sorted(dropped)))
    drop_from_delta(workspace, dropped)


def _staged(workspace: Workspace) -> Iterator[Proven]:
    """Yield what this run staged and the point to be needs, as the point has it."""
    read_totals(workspace.manifest)
    wanted = chain.from_iterable(files for files, _ in read_brought(workspace.delta))
    entry = next(wanted, None)
    for staged in newest_proofs(workspace.indexes()):
        copied = staged.entry
        while entry is not None and entry.path < copied.path:
            entry = next(wanted, None)
        if entry is not None and _is_copy(entry, copied):
            yield staged if entry == copied else staged._replace(entry=entry)


def _copies(workspace: Workspace) -> Iterator[Entry]:
    """Yield the same without its proof: what a path did not hold before was staged, so the index is rarely asked."""
    read_totals(workspace.manifest)
    index: Cursor | None = None
    for files, formers in read_brought(workspace.delta):
        if not formers:
            yield from files
        for entry, former in zip(files, formers, strict=False):
            if former is None or not same_content(former, entry):
                yield entry
                continue
            index = index or Cursor(as_edits(newest(workspace.indexes())))
            staged = [copied for _, copied in index.until(entry.path)][-1:]
            if any(copied is not None and _is_copy(entry, copied) for copied in staged):
                yield entry


def _is_copy(entry: Entry, copied: Entry) -> bool:
    return entry.path == copied.path and entry.size == copied.size and entry.sha256 == copied.sha256
