"""Roll the live replica to a recovery point: renames on one file system, no transfer, and no look at what stays.

The replica can be moved from the point that it is, forward or back, to any other point of the catalog. What leaves it
is kept in the history, so that the way back is as short. The plan comes first: if a single file cannot be found,
nothing is changed. Then comes a redo journal, and from there it goes only forward. If services ran on the replica, or
it was found different, it is listed first, and the plan starts from what was found.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Collection
from pathlib import Path

from incorta_provider.exceptions import ConfigurationError, PreconditionError
from incorta_provider.storage.apply.actual import actual_path, forget_divergence, is_diverged, write_actual
from incorta_provider.storage.apply.changes import Changes, Compared, changes_to, files_of
from incorta_provider.storage.apply.plan import ApplyPlan
from incorta_provider.storage.apply.redo_journal import Header, RedoJournal, Verb
from incorta_provider.storage.copying.work_pool import chunks
from incorta_provider.storage.faults import target_fault
from incorta_provider.storage.flow.collecting import collecting_rarely
from incorta_provider.storage.flow.throttle import alive
from incorta_provider.storage.manifest.manifest_file import read_totals
from incorta_provider.storage.target import ApplyReport
from incorta_provider.storage.vault.areas import HISTORY
from incorta_provider.storage.vault.vault import Vault
from incorta_provider.storage.volume import STEPS

log = logging.getLogger(__name__)

UNMANAGED = "unmanaged"
"""The history folder for what a replica held before its first apply."""


@collecting_rarely()
def apply_point(vault: Vault, point_id: str, *, suspects: Collection[bytes] | None = None) -> ApplyReport:
    """Make the live replica the point; an apply that was cut off before is finished first.

    The caller holds the catalog's lock ``apply``.

    :param suspects: what a comparison found different: the replica is repaired even when it is the point by its record.
    :raises PreconditionError: there is no such point, or the replica is not where it was.
    :raises ConfigurationError: vault and replica are on different file systems.
    :raises IntegrityError: a file of the point is nowhere; nothing was changed.
    """
    started = time.monotonic()
    catalog = vault.catalog
    catalog.get(point_id)
    journal = RedoJournal(catalog.journal)
    moved, removed = 0, 0
    try:
        ensure_fit(vault)
        _ensure_there(vault)
        if (cut_off := journal.header()) is not None:
            log.warning("finishing the apply of %s, which was cut off", cut_off.target)
            moved, removed = _execute(vault, journal, cut_off)
        actual_path(catalog).unlink(missing_ok=True)
        look = suspects is not None or is_diverged(catalog)
        if look or catalog.live_point_id() != point_id:
            header = _header(vault, point_id)
            if look:
                write_actual(actual_path(catalog), vault.volume, catalog.manifest_path(point_id), suspects or ())
            plan = ApplyPlan(vault, point_id, _way(vault, header), unmanaged=header.base is None and not look)
            journal.write(header, plan.steps())
            moved, removed = _execute(vault, journal, header)
    except OSError as error:
        raise target_fault(error, str(catalog.root)) from None
    kept = read_totals(catalog.manifest_path(point_id)).files - moved
    return ApplyReport(moved, removed, kept, time.monotonic() - started)


def rehearse_apply(vault: Vault, point_id: str, found: Path | None) -> None:
    """Plan an apply to the end and do nothing.

    :param found: manifest of what the replica is; None for one that was never applied to.
    :raises IntegrityError: a file of the point is nowhere.
    """
    way = Compared(found, vault.catalog.manifest_path(point_id))
    for _ in ApplyPlan(vault, point_id, way, unmanaged=found is None).steps():
        pass


def ensure_fit(vault: Vault) -> None:
    """Refuse a replica that cannot be made, or that no rename can reach."""
    root = vault.volume.live_root()
    if not root.there and not root.makeable:
        raise PreconditionError(
            "there is no folder for the live replica",
            where=vault.volume.label,
            fix="Check that it is mounted at the worker.",
        )
    if not root.one_file_system:
        raise ConfigurationError(
            "the catalog and the live replica are on different file systems, so no file can be moved between them",
            where=f"{vault.volume.vault_label} and {vault.volume.label}",
            fix="Put the catalog beside the replica, on the same mount.",
        )


def _ensure_there(vault: Vault) -> None:
    """Make the live root before the first apply; refuse one that should hold a point and does not."""
    root, base = vault.volume.live_root(), vault.catalog.live_point_id()
    if base is None:
        vault.volume.make_live_root()
    elif not root.there or (not root.names and read_totals(vault.catalog.manifest_path(base)).entries):
        raise PreconditionError(
            f"the live replica is empty or absent, it should be point {base}",
            where=vault.volume.label,
            fix="Check that it is mounted at the worker.",
        )


def _header(vault: Vault, point_id: str) -> Header:
    """Name the apply, with a history folder that no apply before it used."""
    base = vault.catalog.live_point_id()
    return Header(base, point_id, vault.new_history(base or UNMANAGED))


def _execute(vault: Vault, journal: RedoJournal, header: Header) -> tuple[int, int]:
    """Do all steps, make the point the live one, and return how many files were moved in and how many left."""
    catalog, volume = vault.catalog, vault.volume
    history = os.fsencode(f"{HISTORY}/{header.history}")
    changed: set[bytes] = set()
    moved, added = 0, 0
    for steps in chunks(journal.steps(), STEPS):
        changed.update(volume.do(steps, history))
        alive()
        moved += sum(step.files if step.verb is Verb.TREE else step.verb is Verb.PLACE for step in steps)
        added += sum(step.files or step.added for step in steps)
    for deepest in chunks(reversed(_way(vault, header).folders(sorted(changed))), STEPS):
        volume.finish(deepest)
        alive()
    volume.sync()
    before = files_of(catalog, header.base)
    after = read_totals(catalog.manifest_path(header.target)).files
    alive()
    catalog.set_live(header.target)
    forget_divergence(catalog)
    journal.remove()
    return moved, before + added - after


def _way(vault: Vault, header: Header) -> Changes:
    return changes_to(vault.catalog, header.base, header.target)
