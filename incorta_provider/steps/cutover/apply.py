"""Roll the live replica to the recovery point: renames at the target, no transfer.

A replication run that is still applying holds the catalog's lock; this step then waits for its turn by failing as
transient, and the task is retried.
"""

from __future__ import annotations

from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.steps.cutover.run import CutoverRun, Result


def apply(run: CutoverRun) -> Result:
    """Make the live replica the plan's recovery point."""

    def action(_: Plan) -> Result:
        with run.target.catalog.lock("apply"):
            report = run.target.target.apply(run.folder.point_id())
        return {"moved": report.moved, "removed": report.removed, "kept": report.kept}

    return run.perform(StepName.APPLY, action)
