"""Prove the dump: restore it into a scratch schema at the target and compare everything."""

from __future__ import annotations

from incorta_provider.exceptions import IntegrityError
from incorta_provider.metadata.prove import prove, read_inventory
from incorta_provider.steps.metadata_readiness import ensure_restorable
from incorta_provider.steps.replication.run import ReplicationRun

SHOWN = 20


def prove_dump(run: ReplicationRun) -> None:
    """Refuse a dump that does not restore to what was dumped.

    :raises PreconditionError: there is no dump, or the target's server lacks what it needs.
    :raises IntegrityError: lists the first differences.
    """
    with run.alone("prove"):
        run.ensure_dumped()
        run.save_proof(proven=False)
        workspace = run.workspace
        inventory = read_inventory(workspace.inventory)
        ensure_restorable(run.access, run.target, inventory, source=run.source.name)
        differences = prove(
            run.target.database,
            workspace.dump,
            workspace.inventory,
            scratch_key=run.record().point_id,
            source=run.source.database,
            mapping=run.access.config.metadata.mapping,
        )
        if differences:
            shown = "\n  ".join(str(difference) for difference in differences[:SHOWN])
            raise IntegrityError(
                f"the restored dump differs from the source in {len(differences)} place(s):\n  {shown}",
                where=f"scratch schema at {run.target.name}",
                fix="No recovery point was published; the last sealed one stays good.",
            )
        run.save_proof(proven=True)
