"""Seal: one atomic write makes the recovery point exist.

Before it the point of the run before is the newest, after it this one. All its bytes are at the target by then, and
proven. The ledger's line follows the seal, and a copy of the records where the bytes are; a crash in between is mended
by running the step again.

:raises FencingError: the roles of the sites changed since the run opened; nothing is published.
:raises PreconditionError: a step before this one did not finish.
:raises IntegrityError: a staged file was replaced since it was checked.
:raises TransientError: another task is at work in the workspace, or another run holds the lock.
"""

from __future__ import annotations

import logging

from incorta_provider.dr.inventory import Inventory
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.dr.went_back import went_back
from incorta_provider.exceptions import DrError
from incorta_provider.metadata.prove import read_inventory
from incorta_provider.steps.locking import keep
from incorta_provider.steps.point import file_sha256, point_inventory
from incorta_provider.steps.replication.apply import ensure_still_active
from incorta_provider.steps.replication.run import ReplicationRun, RunRecord
from incorta_provider.storage.copying.checks import ensure_staged
from incorta_provider.storage.copying.early_flush import FLUSH_SECONDS
from incorta_provider.storage.manifest.manifest_file import read_totals

log = logging.getLogger(__name__)


def seal(run: ReplicationRun) -> RecoveryPoint:
    """Seal the run's point and return it; a point that is sealed already is returned as it is."""
    with run.step("seal"):
        target = run.target.target
        point = run.sealed() or run.watched("the seal", target.label, lambda: _seal_alone(run), at_least=FLUSH_SECONDS)
        run.note("point.sealed", "sealed", _evidence(point))
        run.watched("the copy of the records", target.label, lambda: target.keep_records(point.id))
        return point


def _seal_alone(run: ReplicationRun) -> RecoveryPoint:
    """Seal with the workspace held, so that what was checked is what is sealed; by who seals, until that ends."""
    workspace = run.workspace
    with workspace.lock():
        record = run.record()
        ensure_still_active(run, record)
        keep(run.access, run.target, run.lock_owner)
        run.proven()
        point = _point(run, record)
        run.ensure_same(point)
        target = run.target.target
        ensure_staged(target, workspace)
        target.flush(workspace)
        return run.catalog.seal(workspace, point)


def _point(run: ReplicationRun, record: RunRecord) -> RecoveryPoint:
    workspace = run.workspace
    inventory = read_inventory(workspace.inventory)
    checked = run.checked()
    totals = read_totals(workspace.manifest)
    return RecoveryPoint(
        id=record.point_id,
        group=run.access.name,
        source=record.source,
        target=run.target.name,
        epoch=record.epoch,
        run_id=run.run_id,
        opened_at=record.opened_at,
        sealed_at=run.access.clock(),
        previous=record.previous,
        files=totals.files,
        bytes=totals.bytes,
        copied_files=checked.staged_files,
        copied_bytes=checked.staged_bytes,
        tables=len(inventory.tables),
        rows=inventory.rows,
        references=checked.references,
        manifest_sha256=file_sha256(workspace.manifest),
        dump_sha256=file_sha256(workspace.dump),
        inventory_sha256=file_sha256(workspace.inventory),
        position=inventory.position,
        server_version=inventory.server.version,
        incorta_version=record.incorta_version,
        exceptions=(*checked.exceptions, *_source_went_back(run, record, inventory)),
    )


def _source_went_back(run: ReplicationRun, record: RunRecord, inventory: Inventory) -> list[str]:
    """Say so when the source's database is behind what the point before holds of it, as after a restore of a backup.

    The point is as good as any: it is of one state, and its files were compared with its metadata. But somebody should
    know, and may want the point before.
    """
    if record.previous is None:
        return []
    try:
        before = run.catalog.get(record.previous)
        if (before.source, before.epoch) != (record.source, record.epoch):
            return []
        told = went_back(point_inventory(run.catalog, before), inventory)
    except (DrError, ValueError) as error:  # a position of a kind that nobody has seen yet, too
        log.warning("whether the database of %s went back is not known: %s", record.source, error)
        return []
    if not told:
        return []
    log.warning("the database of %s is behind recovery point %s: %s", record.source, before.id, told)
    return [f"the database of {record.source} is behind the previous recovery point, {before.id}: {told}"]


def _evidence(point: RecoveryPoint) -> dict[str, object]:
    """Return what the ledger keeps: enough to tell, years later, that a point is the one that was sealed."""
    names = (
        "manifest_sha256",
        "dump_sha256",
        "inventory_sha256",
        "files",
        "bytes",
        "tables",
        "rows",
        "position",
        "epoch",
    )
    return {"point": point.id, **{name: getattr(point, name) for name in names}}
