"""Replication: one DAG for each site of each protection group in the topology, to replicate the active site to it.

Wiring only: the order of the recovery point protocol. The work is in :mod:`incorta_provider.steps.replication`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset, TriggerRule, chain

from incorta_provider.dr.topology import Group
from incorta_provider.operators.base import RETRIES, RETRY_DELAY, topology_path
from incorta_provider.operators.replication import (
    ApplyRecoveryPointOperator,
    CheckRecoveryPointOperator,
    CopyShardOperator,
    DumpMetadataOperator,
    FinalCopyOperator,
    OpenRecoveryPointOperator,
    PreCopyOperator,
    ProveMetadataOperator,
    ReleaseLockOperator,
    ReplicateOperator,
    SealRecoveryPointOperator,
    recovery_point_asset,
)
from incorta_provider.steps.topology_file import read_topology

DOC = """
Makes one **recovery point** of `{group}` at `{target}`: files and metadata of the active site in one joint state,
proven by comparison and published by one atomic write. When a run begins, it asks the epoch registry which site is
active. While that is `{target}` itself, runs are skipped. So leave this DAG unpaused: it continues by itself after a
cutover, in the other direction.

A failed run publishes nothing; the last sealed recovery point stays good, and the next run starts over.
"""

WITHOUT_PAUSE = "@continuous"
"""The schedule of near-real-time replication: the next run starts when the one before it has ended."""


def replication_dag(name: str, group: Group, target: str) -> DAG:
    """Return the DAG that replicates the active site to ``target``."""
    site = {"group": name, "target": target}
    with DAG(
        dag_id=f"incorta_replication__{name}__{target}",
        description=f"Recovery points of {name} at {target}",
        doc_md=DOC.format(group=name, target=target),
        schedule=group.replication.schedule,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(hours=12),
        tags=["incorta", "disaster recovery", "replication"],
    ) as dag:
        if group.replication.schedule == WITHOUT_PAUSE:
            ReplicateOperator(task_id="replicate", outlets=[recovery_point_asset(name, target)], **site)
        else:
            one_task_a_step(recovery_point_asset(name, target), site)
    return dag


def one_task_a_step(asset: Asset, site: dict[str, str]) -> None:
    """Wire the steps of the protocol, each a task that can be seen, cleared and retried.

    A pre-copy as it is most of the time leaves no shard to others: ``copy_shard`` is skipped then, and the dump comes
    anyway. It does not come when all before it was skipped, because there was nothing to do.
    """
    opened = OpenRecoveryPointOperator(task_id="open", **site)
    copied = PreCopyOperator(task_id="pre_copy", **site)
    shards = CopyShardOperator.partial(task_id="copy_shard", retries=RETRIES, retry_delay=RETRY_DELAY, **site)
    dumped = DumpMetadataOperator(task_id="dump", trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS, **site)
    sealed = SealRecoveryPointOperator(task_id="seal", outlets=[asset], **site)
    released = ReleaseLockOperator(task_id="release", **site)
    chain(
        opened,
        copied,
        shards.expand(shard=copied.output),
        dumped,
        FinalCopyOperator(task_id="final_copy", **site),
        CheckRecoveryPointOperator(task_id="check", **site),
        ProveMetadataOperator(task_id="prove", **site),
        sealed,
        ApplyRecoveryPointOperator(task_id="apply", **site),
        released.as_teardown(setups=opened),
    )
    copied >> dumped


for group_name, protection_group in read_topology(topology_path()).groups.items():
    for site_name in protection_group.sites:
        made = replication_dag(group_name, protection_group, site_name)
        globals()[made.dag_id] = made
