"""The whole protocol in one call, for where no Airflow runs the steps one by one."""

from __future__ import annotations

from collections.abc import Callable

from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.steps.replication.apply import apply
from incorta_provider.steps.replication.check import check
from incorta_provider.steps.replication.copy import final_copy, pre_copy
from incorta_provider.steps.replication.dump import dump_metadata
from incorta_provider.steps.replication.open import open_run
from incorta_provider.steps.replication.prove import prove_dump
from incorta_provider.steps.replication.release import release
from incorta_provider.steps.replication.run import ReplicationRun
from incorta_provider.steps.replication.seal import seal


def replicate(run: ReplicationRun) -> RecoveryPoint:
    """Make, seal and apply one recovery point; raises what the steps raise, after giving the lock back."""
    try:
        point = make_point(run)
        apply(run)
    finally:
        release(run)
    return point


def make_point(run: ReplicationRun, *, dumped: Callable[[], None] = lambda: None) -> RecoveryPoint:
    """Make and seal one recovery point; the group's lock stays with the run.

    :param dumped: called once the metadata are dumped, before anything is proven.
    """
    open_run(run)
    pre_copy(run)
    dump_metadata(run)
    dumped()
    final_copy(run)
    check(run)
    prove_dump(run)
    return seal(run)
