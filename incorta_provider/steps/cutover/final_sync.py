"""Replicate the quiesced source once more: the point that a planned cutover promotes.

It is an ordinary recovery point, made and proven by the protocol, under the lock that the cutover holds. Its apply is
the cutover's own step. A point that says what it does not hold is none that loses nothing.

:raises PreconditionError: the point lacks files of the source, or what the protocol's steps raise.
:raises TransientError: likewise; the task is retried.
"""

from __future__ import annotations

from collections.abc import Collection

from incorta_provider.dr.diff import diff, same_content
from incorta_provider.dr.inventory import DISABLED, ENABLED, Inventory, compare
from incorta_provider.dr.manifest import Entry, shown
from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.exceptions import PreconditionError
from incorta_provider.metadata.archive import replacing
from incorta_provider.metadata.comparison import take_inventory
from incorta_provider.metadata.prove import read_inventory
from incorta_provider.steps.access import SiteAccess
from incorta_provider.steps.cutover.run import CutoverRun, Result
from incorta_provider.steps.point import point_inventory
from incorta_provider.steps.replication.protocol import make_point
from incorta_provider.steps.replication.run import ReplicationRun
from incorta_provider.steps.running import running
from incorta_provider.storage.manifest.manifest_file import read_manifest

SHOWN = 20


def final_sync(run: CutoverRun) -> Result:
    """Make the last recovery point of the source, and return its id."""

    def action(plan: Plan) -> Result:
        sync = ReplicationRun(run.access, run.target, run.run_id, run.actor)
        point = sync.sealed() or make_point(sync, dumped=lambda: _events_as_they_were(run, sync))
        if point.exceptions:
            raise PreconditionError(
                f"recovery point {point.id} does not hold everything:\n  " + "\n  ".join(point.exceptions[:SHOWN]),
                where=f"site {plan.source}",
                fix="Find out what writes there though Incorta is stopped, stop it, and trigger the cutover again.",
            )
        return {"recovery_point": point.id, "files": point.files, "copied_bytes": point.copied_bytes}

    return run.perform(StepName.FINAL_SYNC, action)


def _events_as_they_were(run: CutoverRun, sync: ReplicationRun) -> None:
    """Let the point say that the events are on which the quiesce switched off: whoever promotes it switches them on."""
    path = sync.workspace.inventory
    inventory = _with_events(read_inventory(path), run.folder.source_events(), ENABLED)
    with replacing(path) as file:
        file.write(inventory.model_dump_json(indent=1).encode())


def _with_events(inventory: Inventory, names: Collection[str], status: str) -> Inventory:
    events = {
        name: event.model_copy(update={"status": status}) if name in names else event
        for name, event in inventory.events.items()
    }
    return inventory.model_copy(update={"events": events})


def ensure_nothing_written(run: CutoverRun, source: SiteAccess) -> None:
    """Refuse to go on when the source is not the point that is promoted: it was written to after the final sync.

    :raises PreconditionError: names what runs there, or the first files and objects that differ.
    """
    point = run.point()
    found = [*(f"{part} runs" for part in running(source)), *_files(run, source, point), *_metadata(run, source, point)]
    if found:
        raise PreconditionError(
            f"{source.name} was written to after the final sync, in {len(found)} place(s):\n  "
            + "\n  ".join(found[:SHOWN]),
            where=f"cutover {run.run_id}",
            fix="Nothing was fenced. Stop what writes there, give this cutover up, and trigger another one.",
        )


def _files(run: CutoverRun, source: SiteAccess, point: RecoveryPoint) -> list[str]:
    listing = source.tree(run.access.config.replication.exclude).list()
    manifest = read_manifest(run.target.catalog.manifest_path(point.id))
    return [
        f"{change.kind} {_path(change.old or change.new)}" for change in diff(manifest, listing, equal=same_content)
    ]


def _path(entry: Entry | None) -> str:
    return shown(entry.path) if entry else ""


def _metadata(run: CutoverRun, source: SiteAccess, point: RecoveryPoint) -> list[str]:
    """Return what differs in the database; where the dump gave objects other definers, their texts prove nothing."""
    inventory = _with_events(point_inventory(run.target.catalog, point), run.folder.source_events(), DISABLED)
    found = compare(inventory, take_inventory(source.database), events="as_recorded")
    mapped = bool(run.access.config.metadata.definers)
    return [str(difference) for difference in found if not mapped or difference.object.startswith("table ")]
