"""Maintenance: one DAG for each site of each protection group in the topology.

Wiring only. It prunes recovery points, then compares the live replica with the point that it is. The active site is
left alone.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from incorta_provider.dr.topology import Group
from incorta_provider.operators.base import topology_path
from incorta_provider.operators.maintenance import PruneRecoveryPointsOperator, VerifyReplicaOperator
from incorta_provider.steps.topology_file import read_topology

DOC = """
Keeps **{site}** of `{group}` in order, as long as it is not the active site.

1. *prune* drops the recovery points that the retention in the topology does not keep. If the topology has no retention,
   it only reports what the defaults would drop.
2. *verify* compares names, sizes and times of all files of the live replica with its recovery point, and the digests of
   a share of the files, so that each file is read within {days} day(s).

Neither stops replication. They are independent: if the prune fails, the compare still runs.
"""


def maintenance_dag(name: str, group: Group, site: str) -> DAG:
    """Return the DAG that looks after one site: one task at a time, the prune first."""
    with DAG(
        dag_id=f"incorta_maintenance__{name}__{site}",
        description=f"Retention and drift of {name} at {site}",
        doc_md=DOC.format(group=name, site=site, days=group.verify.sample_days),
        schedule=group.verify.schedule,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        max_active_tasks=1,
        dagrun_timeout=timedelta(hours=24),
        tags=["incorta", "disaster recovery", "maintenance"],
    ) as dag:
        PruneRecoveryPointsOperator(task_id="prune", group=name, site=site, priority_weight=2)
        VerifyReplicaOperator(task_id="verify", group=name, site=site)
    return dag


for group_name, protection_group in read_topology(topology_path()).groups.items():
    for site_name in protection_group.sites:
        made = maintenance_dag(group_name, protection_group, site_name)
        globals()[made.dag_id] = made
