"""A replication run from its first step to the seal, with real steps and a dump that needs no database."""

from __future__ import annotations

from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.steps.replication.check import check
from incorta_provider.steps.replication.copy import final_copy, pre_copy
from incorta_provider.steps.replication.open import open_run
from incorta_provider.steps.replication.run import ReplicationRun
from incorta_provider.steps.replication.seal import seal
from tests.builders.group import write_dump


def sealed(run: ReplicationRun, **tables: int) -> RecoveryPoint:
    """Take every step up to the seal and return the point.

    :param tables: rows of the dump's inventory by table.
    """
    open_run(run)
    pre_copy(run)
    write_dump(run, **tables)
    final_copy(run)
    check(run)
    run.save_proof(proven=True)
    return seal(run)
