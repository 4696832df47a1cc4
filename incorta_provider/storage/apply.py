"""Roll the live replica to a recovery point: renames on one file system, no transfer, and no look at what stays.

The way leads from the point that the replica is, forward or back, to any other point of the catalog. What leaves the
replica is kept in the history, so that the way back is as short. Plan first: when a single file cannot be found,
nothing is changed. Then a redo journal, and from then on only forward. A replica on which services ran, or that was
found different, is listed before: then the way leads from what was found.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from incorta_provider.dr.diff import diff, same_content
from incorta_provider.dr.manifest import Entry, Kind, OpenFolders, is_safe, shown
from incorta_provider.exceptions import ConfigurationError, IntegrityError, PreconditionError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.content import Content
from incorta_provider.storage.durable import sync_filesystem
from incorta_provider.storage.faults import target_fault
from incorta_provider.storage.found import forget_divergence, found_path, is_diverged, write_found
from incorta_provider.storage.manifest_file import differing, read_manifest, read_totals, select
from incorta_provider.storage.redo_journal import Header, RedoJournal, Step, Verb
from incorta_provider.storage.replica import Replica

log = logging.getLogger(__name__)

UNMANAGED = "unmanaged"
"""The history folder for what a replica held before its first apply."""

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class ApplyReport:
    """What an apply did; counts are of files.

    :param moved: put into the replica.
    :param removed: moved out of it because the point does not have them.
    :param kept: not touched.
    """

    moved: int
    removed: int
    kept: int
    seconds: float


def apply_point(
    catalog: Catalog, live_root: Path, point_id: str, *, suspects: Collection[bytes] | None = None
) -> ApplyReport:
    """Make the live replica the point; an apply that was cut off before is finished first.

    The caller holds the catalog's lock ``apply``.

    :param suspects: what a comparison found different: the replica is repaired even when it is the point by its record.
    :raises PreconditionError: there is no such point, or the replica is not where it was.
    :raises ConfigurationError: catalog and replica are on different file systems.
    :raises IntegrityError: a file of the point is nowhere; nothing was changed.
    """
    started = time.monotonic()
    catalog.get(point_id)
    journal = RedoJournal(catalog.journal)
    moved, removed = 0, 0
    try:
        _ensure_fit(catalog, live_root)
        if (cut_off := journal.header()) is not None:
            log.warning("finishing the apply of %s, which was cut off", cut_off.target)
            moved, removed = _execute(catalog, live_root, journal, cut_off)
        found_path(catalog).unlink(missing_ok=True)
        look = suspects is not None or is_diverged(catalog)
        if look or catalog.live_point_id() != point_id:
            header = _header(catalog, point_id)
            if look:
                write_found(found_path(catalog), live_root, catalog.manifest_path(point_id), suspects or ())
            journal.write(header, _Plan(catalog, live_root, header, _base(catalog, header)).steps())
            moved, removed = _execute(catalog, live_root, journal, header)
    except OSError as error:
        raise target_fault(error, str(live_root)) from None
    kept = read_totals(catalog.manifest_path(point_id)).files - moved
    return ApplyReport(moved, removed, kept, time.monotonic() - started)


def rehearse_apply(catalog: Catalog, live_root: Path, point_id: str, found: Path | None) -> None:
    """Plan an apply to the end and do nothing.

    :param found: manifest of what the replica is; None for one that was never applied to.
    :raises IntegrityError: a file of the point is nowhere.
    """
    try:
        for _ in _Plan(catalog, live_root, Header(None, point_id, UNMANAGED), found).steps():
            pass
    except OSError as error:
        raise target_fault(error, str(live_root)) from None


def _header(catalog: Catalog, point_id: str) -> Header:
    """Name the apply, with a history folder that no apply before it used."""
    base = catalog.live_point_id()
    label = base or UNMANAGED
    names = (f"{label}.{number}" if number else label for number in count())
    return Header(base, point_id, next(name for name in names if not (catalog.history / name).exists()))


def _ensure_fit(catalog: Catalog, live_root: Path) -> None:
    """Refuse a replica that is not there, or that no rename can reach."""
    base = catalog.live_point_id()
    if base is None:
        if not live_root.parent.is_dir():
            raise PreconditionError(
                "there is no folder for the live replica",
                where=str(live_root.parent),
                fix="Check that it is mounted at the worker.",
            )
        live_root.mkdir(exist_ok=True)
    elif not live_root.is_dir() or (read_totals(catalog.manifest_path(base)).entries and not any(live_root.iterdir())):
        raise PreconditionError(
            f"the live replica is empty or absent, it should be point {base}",
            where=str(live_root),
            fix="Check that it is mounted at the worker.",
        )
    if live_root.stat().st_dev != catalog.root.stat().st_dev:
        raise ConfigurationError(
            "the catalog and the live replica are on different file systems, so no file can be moved between them",
            where=f"{catalog.root} and {live_root}",
            fix="Put the catalog beside the replica, on the same mount.",
        )


def _execute(catalog: Catalog, live_root: Path, journal: RedoJournal, header: Header) -> tuple[int, int]:
    """Do all steps, make the point the live one, and return how many files were moved in and how many left."""
    replica = Replica(live_root, catalog.root, catalog.history / header.history)
    moved, added = 0, 0
    for step in journal.steps():
        replica.do(step)
        moved += step.verb is Verb.PLACE
        added += step.added
    manifest = catalog.manifest_path(header.target)
    replica.finish(entry for entry in select(manifest, replica.changed_folders) if entry.kind is Kind.DIR)
    sync_filesystem(live_root)
    base = _base(catalog, header)
    before = read_totals(base).files if base else 0
    catalog.set_live(header.target)
    forget_divergence(catalog)
    journal.remove()
    return moved, before + added - read_totals(manifest).files


def _base(catalog: Catalog, header: Header) -> Path | None:
    """Return the manifest that the replica is: what was found, before what is on record."""
    if (found := found_path(catalog)).exists():
        return found
    return catalog.manifest_path(header.base) if header.base else None


class _Plan:
    """The steps from the point that the replica is to another one."""

    def __init__(self, catalog: Catalog, live_root: Path, header: Header, base: Path | None) -> None:
        self._live_root = live_root
        self._base = base
        self._target = catalog.manifest_path(header.target)
        self._content = Content(catalog, header.target)
        self._gone = OpenFolders()
        self._missing: list[bytes] = []

    def steps(self) -> Iterator[Step]:
        """Yield the steps in path order, so that a folder comes before what is in it.

        :raises IntegrityError: at the end, when files of the target were not found.
        """
        if self._base is None:
            yield from (Step(Verb.REMOVE, os.fsencode(path.name)) for path in sorted(self._live_root.iterdir()))
            changes = diff((), read_manifest(self._target))
        else:
            changes = diff(*differing(self._base, self._target))
        for change in changes:
            step = self._leave(change.old) if change.new is None else self._become(change.old, change.new)
            if step is not None:
                yield step
        if self._missing:
            raise self._incomplete()

    def _leave(self, old: Entry | None) -> Step | None:
        """Move a path out; what a folder holds goes with the folder."""
        if old is None or self._gone.contains(old.path):
            return None
        if old.kind is Kind.DIR:
            self._gone.enter(old.path)
        return Step(Verb.REMOVE, old.path)

    def _become(self, old: Entry | None, new: Entry) -> Step | None:
        if not is_safe(new.path):
            raise self._unsafe(new.path)
        if new.kind is Kind.DIR:
            return Step(Verb.FOLDER, new.path)
        if old is not None and old.kind is Kind.DIR:
            self._gone.enter(old.path)
        if new.kind is Kind.LINK:
            return Step(Verb.LINK, new.path, new.link_target or b"")
        if old is not None and same_content(old, new):
            return Step(Verb.TOUCH, new.path, mode=new.mode, mtime_ns=new.mtime_ns)
        return self._bring(old, new)

    def _bring(self, old: Entry | None, new: Entry) -> Step | None:
        source = self._content.find(new)
        if source is None:
            self._missing.append(new.path)
            return None
        added = old is None or old.kind is not Kind.FILE
        return Step(Verb.PLACE, new.path, source, new.mode, new.mtime_ns, added)

    def _incomplete(self) -> IntegrityError:
        names = "\n  ".join(shown(path) for path in self._missing[:_SHOWN])
        return IntegrityError(
            f"{len(self._missing)} file(s) of the recovery point are nowhere in the catalog:\n  {names}",
            where=str(self._target),
            fix="Nothing was changed. Choose another recovery point.",
        )

    def _unsafe(self, path: bytes) -> IntegrityError:
        return IntegrityError(
            f"the manifest names a path outside of the storage: {shown(path)}",
            where=str(self._target),
            fix="Nothing was changed. The manifest is forged or damaged; choose another recovery point.",
        )
