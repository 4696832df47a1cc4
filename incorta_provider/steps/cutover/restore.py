"""Restore the point's metadata beside the target's schema, compare them in full, switch, before anything starts.

The comparison stands here, before the services: as soon as a Loader runs, scheduled jobs write to the database, and
"equal" could no longer be shown.
"""

from __future__ import annotations

import logging

from incorta_provider.dr.inventory import Inventory
from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.exceptions import DrError, IntegrityError
from incorta_provider.metadata.carry import carried
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.replica.take_over import take_over
from incorta_provider.metadata.restore import replace_schema
from incorta_provider.metadata.switch_journal import read_switch
from incorta_provider.steps.cutover.run import CutoverRun, Result
from incorta_provider.steps.cutover.unfence import unfence_target
from incorta_provider.steps.point import point_inventory

log = logging.getLogger(__name__)

SHOWN = 20
REPLICA = "replica"
"""Stands in the result when nothing was restored, so that nothing is kept beside it."""


def restore(run: CutoverRun) -> Result:
    """Replace the target's schema by the point's; what was there is kept beside it until the cutover is committed.

    A database that an earlier cutover fenced is opened then, for the services that start next.
    A replica that is at the point, by position and by full comparison, is taken over as it is.

    :raises IntegrityError: what was restored is not equal to what was dumped; the schema is the one before.
    """

    def action(plan: Plan) -> Result:
        catalog = run.target.catalog
        point = run.point()
        mapping = run.access.config.metadata.mapping
        inventory = carried(run.target.database, point_inventory(catalog, point), mapping)
        restored = {"tables": point.tables, "rows": point.rows, "equal": True}
        if plan.mode.is_cutover and _is_replica(run, inventory):
            return {**restored, "way": REPLICA, "target_unfenced": unfence_target(run)}
        differences = replace_schema(
            run.target.database,
            catalog.dump_path(point.id),
            inventory,
            run.folder.schema_switch,
            sha256=point.dump_sha256,
            source=_source(run, plan),
        )
        if differences:
            shown = "\n  ".join(str(difference) for difference in differences[:SHOWN])
            raise IntegrityError(
                f"the restored metadata differ from the recovery point in {len(differences)} place(s):\n  {shown}",
                where=f"database of {run.target.name}",
                fix="The schema is the one before. Choose an older recovery point, or mend the cause and clear this.",
            )
        switch = read_switch(run.folder.schema_switch)
        return {
            **restored,
            "window_seconds": switch and switch.window_seconds,
            "previous_schema": switch and switch.previous,
            "target_unfenced": unfence_target(run),
        }

    return run.perform(StepName.RESTORE, action)


def _is_replica(run: CutoverRun, inventory: Inventory) -> bool:
    """Cut the target's replica off, if the topology has one, and return whether it is what the point holds.

    A drill leaves the replica of its site alone.
    """
    if run.access.config.metadata.replica is None:
        return False
    return take_over(run.target.database, run.target.replica_account, inventory)


def _source(run: CutoverRun, plan: Plan) -> Endpoint | None:
    """Return the source's database, which may say which rows differ; None when its connection is gone with it."""
    try:
        return run.access.site(plan.source).database
    except DrError as error:
        log.warning("the database of %s is not known: %s", plan.source, error)
        return None
