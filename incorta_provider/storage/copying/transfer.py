"""Bring what changed at the source into a workspace: one pass of the recovery point protocol.

A pass lists the source and decides (:mod:`~incorta_provider.storage.survey.survey`), checks the room, copies with
digests (:mod:`~incorta_provider.storage.routes`), and ends with what differs from the point before and has its bytes at
the target; the last pass makes the manifest of it (:mod:`~incorta_provider.storage.copying.outcome`). Nothing is
deleted, and nothing outside of the workspace is written. A pass that was cut off is started again, and what it had
copied is not copied twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

from incorta_provider.dr.manifest import Entry, shown
from incorta_provider.exceptions import PreconditionError
from incorta_provider.storage.copying.early_flush import FLUSH_SECONDS, flushing_beside
from incorta_provider.storage.copying.outcome import complete, complete_last, without_fallback
from incorta_provider.storage.copying.recorded import Record, Recorded
from incorta_provider.storage.copying.room_on_the_way import ensure_room_on_the_way
from incorta_provider.storage.copying.work_pool import in_order
from incorta_provider.storage.copying.workspace import Pass, Workspace
from incorta_provider.storage.faults import translated
from incorta_provider.storage.flow.collecting import collecting_rarely
from incorta_provider.storage.flow.oversight import Controls, Oversight
from incorta_provider.storage.flow.progress import Total
from incorta_provider.storage.flow.retry import Persistent
from incorta_provider.storage.flow.shards import ShardSize, write_shards
from incorta_provider.storage.flow.watched import watched
from incorta_provider.storage.local.copy import write_all
from incorta_provider.storage.manifest.manifest_file import read_manifest
from incorta_provider.storage.routes import copier_for, suited
from incorta_provider.storage.survey.baseline import Baseline
from incorta_provider.storage.survey.mounts import ensure_mounted
from incorta_provider.storage.survey.survey import Survey, survey
from incorta_provider.storage.target import Copier, Target
from incorta_provider.storage.tree import Missed, Tree

log = logging.getLogger(__name__)

CONTROLS = Controls()
"""For copies that no topology controls."""


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What one pass did.

    :param listed: files, folders and links at the source; of these ``listed_files`` are files.
    :param base_files: how many files the point before has; 0 when there is none.
    :param added: files that the point before does not have; ``changed``: that it has with another size or time;
        ``removed``: that only it has. ``removed_folders``: in how many top folders they are; the root counts as one.
    :param reused: files whose bytes were at the target already.
    :param carried: files kept that the source lost since an earlier pass of this run.
    :param vanished: gone between listing and copy, and never copied by this run.
    :param unsettled: changed under every try, and never copied by this run.
    :param shards: the shards that were left to others; nothing was copied then.
    """

    listed: int
    listed_files: int
    listed_bytes: int
    base_files: int
    base_bytes: int
    added: int
    changed: int
    removed: int
    removed_folders: int
    copied_files: int
    copied_bytes: int
    reused: int
    carried: int
    vanished: tuple[bytes, ...]
    unsettled: tuple[bytes, ...]
    seconds: float
    shards: tuple[int, ...] = ()


@collecting_rarely()
def copy_delta(
    source: Tree,
    target: Target,
    base_manifest: Path | None,
    workspace: Workspace,
    *,
    final: bool,
    controls: Controls = CONTROLS,
    immutable: Sequence[str] = (),
    split: ShardSize | None = None,
) -> CopyReport:
    """Copy new and changed files into the workspace; the final pass also writes the manifest of the point to be.

    A file that cannot be copied because it vanished or keeps changing is not an error here. If an earlier pass of this
    run copied it, that version stays. Otherwise it is not in the result, and the check of the metadata's references
    decides whether anything needs it.

    Any pass withdraws the manifest of a final one before it, with the check and the proof that rest on it.

    :param base_manifest: of the newest sealed point, whose bytes are all at the target.
    :param controls: how fast it may be, and how long nothing may move.
    :param immutable: patterns of the folders that are passed over while they have the time that the base has.
    :param split: a pass that finds more than this copies nothing: what is pending is left to shards
        (:func:`~incorta_provider.storage.copying.shards.copy_shard`), and the next pass takes what they copied for
        staged.
    :raises PreconditionError: the source lists no file but the point before has some, a part of it is not mounted any
        more, or the target lacks room, or the worker does for files that wait there.
    :raises TransientError: another process copies into this workspace; or a file failed each time that it was tried, or
        nothing moves any more.
    :raises IntegrityError: a file or folder cannot be read.
    """
    with workspace.lock():
        if workspace.is_void:
            log.warning("the disk refused a part of what was written, so everything of this run is copied again")
            target.discard(workspace)
            workspace.start_over()
        workspace.withdraw()
        workspace.drop_shards()
        workspace.clear_partial()
        known = Baseline.of(workspace, base_manifest)
        return _copy_delta(
            suited(source, target), target, known, workspace, split, immutable, final=final, controls=controls
        )


def _copy_delta(
    source: Tree,
    target: Target,
    known: Baseline,
    workspace: Workspace,
    split: ShardSize | None,
    immutable: Sequence[str],
    *,
    final: bool,
    controls: Controls,
) -> CopyReport:
    started = time.monotonic()
    files = workspace.new_pass()

    def listed() -> Survey:
        found = survey(source, known, files, immutable=immutable)
        _refuse_emptied(found, known, source)
        ensure_mounted(source, known.base, workspace)
        return found

    found = watched(listed, "the listing", controls.stall_seconds, source.label)
    folders = found.new_folders if known.is_first_try else 0  # a former try has made most of them
    target.ensure_room(size=found.pending_bytes, files=found.pending_files + folders)
    total = Total(found.pending_files, found.pending_bytes)
    shards = write_shards(files, total, split.count(total)) if split and split.count(total) else []
    done = Done()
    if not shards:
        with (
            Oversight(total, controls, workspace, source.label) as oversight,
            open_index(files.index, "wb") as index,
            flushing_beside(target, workspace, max(controls.stall_seconds, FLUSH_SECONDS)) as staged,
        ):
            copier = copier_for(source, target, workspace)
            ensure_room_on_the_way(copier, files.pending, total, workspace, oversight)
            pending = read_manifest(files.pending)
            with closing(_copies(copier, pending, total, index, oversight, done, staged)) as copies:
                if final:
                    complete_last(known, files, workspace, copies, lambda: without_fallback(done.unsettled, files))
                else:
                    complete(known, files, copies)
    report = _reported(found, known, files, done, shards, time.monotonic() - started)
    files.clear()
    return report


def _reported(
    found: Survey, known: Baseline, files: Pass, done: Done, shards: Sequence[int], seconds: float
) -> CopyReport:
    counts, base_files, base_bytes = found.counts, *known.base_totals()
    return CopyReport(
        listed=counts.listed,
        listed_files=counts.listed_files,
        listed_bytes=counts.listed_bytes,
        base_files=base_files,
        base_bytes=base_bytes,
        added=counts.added,
        changed=counts.changed,
        removed=counts.removed,
        removed_folders=len(counts.removed_in),
        copied_files=done.files,
        copied_bytes=done.size,
        reused=counts.listed_files - found.pending_files,
        carried=found.carried,
        vanished=tuple(without_fallback(done.vanished, files)),
        unsettled=tuple(without_fallback(done.unsettled, files)),
        seconds=seconds,
        shards=tuple(shards),
    )


def open_index(path: Path, mode: Literal["wb", "ab"]) -> BinaryIO:
    """Open an index; without a buffer, which on a full disk would fail once more when it is closed."""
    with translated(str(path)):
        return path.open(mode, buffering=0)


@dataclass(slots=True)
class Done:
    """What came of the files that were pending."""

    files: int = 0
    size: int = 0
    vanished: list[bytes] = field(default_factory=list)
    unsettled: list[bytes] = field(default_factory=list)

    def add(self, record: Record) -> None:
        """Count one batch."""
        self.files += record.files
        self.size += record.size
        for path, how in record.missed:
            if how is Missed.VANISHED:
                self.vanished.append(path)
            else:
                log.warning("%s changes under the copy; left out of this pass", shown(path))
                self.unsettled.append(path)


def copy_pending(copier: Copier, pending: Iterable[Entry], total: Total, index: BinaryIO, oversight: Oversight) -> Done:
    """Copy files in the order of their paths; a batch's lines are written to the index after its files.

    :param total: how much is pending.
    """
    done = Done()
    for _ in _copies(copier, pending, total, index, oversight, done, lambda _: None):
        pass
    return done


def _copies(
    copier: Copier,
    pending: Iterable[Entry],
    total: Total,
    index: BinaryIO,
    oversight: Oversight,
    done: Done,
    staged: Callable[[int], None],
) -> Generator[list[Entry], None, None]:
    """Do the same, and yield what was copied batch by batch; ``done`` counts it, and ``staged`` is told its bytes."""
    work = Recorded(Persistent(copier, oversight.throttle))
    limits = copier.limits.for_total(total.files, total.size)
    for _, record in in_order(work, pending, limits, oversight.tick):
        done.add(record)
        with translated(str(index.name)):
            write_all(index.fileno(), memoryview(record.lines))
        staged(record.size)
        yield record.copied()


def _refuse_emptied(found: Survey, known: Baseline, source: Tree) -> None:
    """A source that lost every file is a source that is not mounted, until a person says otherwise."""
    if not found.counts.listed_files and (files := known.files()):
        raise PreconditionError(
            f"the source lists no file, and had {files} before",
            where=source.label,
            fix="Nothing was deleted. Check that the source is mounted and whole.",
        )
