"""Commit a cutover: give up the metadata that the promoted site had before.

Until then they lie beside the live schema and cost their room; afterwards this cutover has no way back.

:raises PreconditionError: the site was not promoted by this run.
:raises TransientError: the database cannot be reached; repeat it.
"""

from __future__ import annotations

from incorta_provider.dr.plan import StepName
from incorta_provider.exceptions import PreconditionError
from incorta_provider.metadata.restore import commit_schema
from incorta_provider.steps.access import GroupAccess
from incorta_provider.steps.cutover.restore import REPLICA
from incorta_provider.steps.cutover.run import find_run


def commit(access: GroupAccess, run_id: str, *, by: str) -> None:
    """Drop the schema that the restore of a run kept. Safe to repeat."""
    run = find_run(access, run_id, by)
    if StepName.PROMOTE not in run.folder.done():
        raise PreconditionError(
            f"cutover {run_id} did not promote {run.target.name}",
            where=f"group {access.name}",
            fix="Finish it, or give it up with `incorta-dr cutover abort`, which brings the metadata before back.",
        )
    if (run.folder.result(StepName.RESTORE) or {}).get("way") != REPLICA:
        commit_schema(run.target.database, run.folder.schema_switch)
    run.note("cutover.committed", "committed", {"schema": run.target.config.metadata.schema_name})
