"""Operators that make one recovery point, in the order of the protocol."""

from __future__ import annotations

from abc import abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import Asset

from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.exceptions import SiteIsActive
from incorta_provider.operators.base import PATIENT_RETRIES, DrOperator, airflow_errors, run_of
from incorta_provider.operators.links import RecoveryPointLink
from incorta_provider.steps.replication.apply import apply
from incorta_provider.steps.replication.check import check
from incorta_provider.steps.replication.copy import copy_shard, final_copy, pre_copy
from incorta_provider.steps.replication.dump import dump_metadata
from incorta_provider.steps.replication.open import open_run
from incorta_provider.steps.replication.protocol import replicate
from incorta_provider.steps.replication.prove import prove_dump
from incorta_provider.steps.replication.release import release
from incorta_provider.steps.replication.run import ReplicationRun
from incorta_provider.steps.replication.seal import seal

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.sdk import Context


ROLE_WAIT = timedelta(minutes=5)
"""How long a run waits whose target is the active site: a changed role is noticed that much later at most."""


class ReplicationOperator(DrOperator):
    """Base of the operators that take one step of a run to ``target``.

    The source is the site that is active when the run opens, whichever that is.

    :param target: the site to replicate to (templated).
    """

    template_fields: Collection[str] = ("group", "target")

    def __init__(self, *, target: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target = target

    def work(self, context: Context) -> Any:
        """Take the step."""
        access = self.access()
        run = ReplicationRun(
            access=access,
            target=access.site(self.target),
            run_id=run_of(context),
            actor=f"dag {self.dag_id}",
        )
        return self.take(run)

    @abstractmethod
    def take(self, run: ReplicationRun) -> Any:
        """Take the step and return what goes to XCom."""


class OpeningOperator(ReplicationOperator):
    """Base of the operators that a run begins with: they find out which site is active.

    While the target itself is active there is nothing to do but to wait. The task is deferred for a while then, which
    costs no worker, looks once more, and skips the run: a schedule of a minute, or one without a pause, would else make
    a run after the other of nothing.
    """

    def work(self, context: Context) -> Any:
        """Take the step, or wait for another role."""
        try:
            return super().work(context)
        except SiteIsActive as reason:
            self.log.info("%s; looking again in %s", reason, ROLE_WAIT)
            self.defer(trigger=TimeDeltaTrigger(ROLE_WAIT), method_name="look_again")

    def look_again(self, context: Context, event: Any) -> Any:
        """Take the step if the roles changed meanwhile; else skip the run.

        :param event: what the trigger tells: the time.
        """
        with airflow_errors():
            return super().work(context)


class OpenRecoveryPointOperator(OpeningOperator):
    """Take the group's lock, check the epoch at both ends, and start the clock of the RPO."""

    def take(self, run: ReplicationRun) -> str:
        """Open the run and return the id of the point to be."""
        return open_run(run).point_id


class PreCopyOperator(ReplicationOperator):
    """Copy what is new while the source keeps writing; deletes nothing.

    A copy of more than the topology's shard size is left to a :class:`CopyShardOperator` for each shard.
    """

    def take(self, run: ReplicationRun) -> list[int]:
        """Copy and return the numbers of the shards that are left to others; as a rule none."""
        return list(pre_copy(run, split=True).shards)


class CopyShardOperator(ReplicationOperator):
    """Copy one shard of what the pre-copy left, beside the others, on whichever worker.

    :param shard: its number; map it over what :class:`PreCopyOperator` returns.
    """

    def __init__(self, *, shard: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shard = shard

    def take(self, run: ReplicationRun) -> dict[str, int]:
        """Copy and return what was done."""
        report = copy_shard(run, self.shard)
        return {"copied_files": report.copied_files, "copied_bytes": report.copied_bytes, "reused": report.reused}


class DumpMetadataOperator(ReplicationOperator):
    """Dump the metadata in one consistent snapshot, with inventory and checksums of the same snapshot."""

    def take(self, run: ReplicationRun) -> dict[str, Any]:
        """Dump and return its size and position."""
        report = dump_metadata(run)
        return {"tables": report.tables, "rows": report.rows, "bytes": report.bytes, "position": report.position}


class FinalCopyOperator(ReplicationOperator):
    """Copy what changed after the dump, and write the manifest."""

    def take(self, run: ReplicationRun) -> dict[str, int]:
        """Copy and return what was done."""
        report = final_copy(run)
        return {"listed": report.listed, "copied_files": report.copied_files, "copied_bytes": report.copied_bytes}


class CheckRecoveryPointOperator(ReplicationOperator):
    """Check digests, Parquet framing, and that every file that the metadata name is in the manifest."""

    def take(self, run: ReplicationRun) -> dict[str, Any]:
        """Check and return what was seen."""
        report = check(run)
        return {"references": report.references, "orphans": report.orphans, "exceptions": list(report.exceptions)}


class ProveMetadataOperator(ReplicationOperator):
    """Restore the dump into a scratch schema at the target and compare everything."""

    def take(self, run: ReplicationRun) -> None:
        """Prove the dump."""
        prove_dump(run)


class SealRecoveryPointOperator(ReplicationOperator):
    """Make the recovery point exist, by one atomic write, and emit its asset.

    Give it ``outlets=[recovery_point_asset(group, target)]`` to let other DAGs wait for recovery points.
    """

    operator_extra_links = (RecoveryPointLink(),)

    def work(self, context: Context) -> dict[str, Any]:
        """Seal, and hand the point's facts to the asset event."""
        facts: dict[str, Any] = super().work(context)
        for asset in self.outlets:
            if isinstance(asset, Asset):
                context["outlet_events"][asset].extra = facts
        return facts

    def take(self, run: ReplicationRun) -> dict[str, Any]:
        """Seal and return the point's facts."""
        point = self.make(run)
        self.log.info("%s", point.summary())
        return {
            "recovery_point": point.id,
            "group": point.group,
            "site": point.target,
            "opened_at": point.opened_at.isoformat(),
            "summary": point.summary(),
        }

    def make(self, run: ReplicationRun) -> RecoveryPoint:
        """Make the point exist."""
        return seal(run)


class ReplicateOperator(OpeningOperator, SealRecoveryPointOperator):
    """The whole protocol in one task, for replication without a pause.

    Airflow starts a process for each task, which takes a second or more of a processor; with nine tasks that is most of
    the time that a recovery point of few changes takes. A retry does what the single tasks would: each step asks what
    is done.
    """

    def make(self, run: ReplicationRun) -> RecoveryPoint:
        """Take all steps, from the lock to its release."""
        return replicate(run)


class ApplyRecoveryPointOperator(ReplicationOperator):
    """Roll the live replica forward to the sealed point, under a redo journal; waits for a prune or a repair."""

    default_retries = PATIENT_RETRIES

    def take(self, run: ReplicationRun) -> dict[str, int]:
        """Apply and return what was moved."""
        report = apply(run)
        return {"moved": report.moved, "removed": report.removed, "kept": report.kept}


class ReleaseLockOperator(ReplicationOperator):
    """Give the group's lock back, whatever happened before; another owner's lock stays."""

    def take(self, run: ReplicationRun) -> None:
        """Release the lock."""
        release(run)


def recovery_point_asset(group: str, target: str) -> Asset:
    """Return the asset that stands for the newest recovery point of a group at a site."""
    return Asset(name=f"incorta_recovery_point__{group}__{target}", uri=f"incorta-dr://{group}/{target}/recovery-point")
