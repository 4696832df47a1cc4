"""Watch: one DAG for each protection group in the topology.

Wiring only. After an unplanned cutover it waits for the old primary, and fences it when it comes back.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from incorta_provider.dr.topology import Group
from incorta_provider.notifications.webhook import WebhookNotifier
from incorta_provider.operators.base import topology_path
from incorta_provider.operators.watch import FenceReturnedSiteOperator
from incorta_provider.steps.topology_file import read_topology

DOC = """
Checks each minute whether a site of **{group}** that lost its role without being fenced can be reached, and fences
it: epoch registry, services, database. Runs are skipped as long as there is nothing to do. A run that succeeded has
fenced something: the ledger records it, and people are notified through the topology's `notify_conn_id`.

It leaves a site alone that a person opened with `incorta-dr unfence`.
"""

TOLD = (
    "Incorta DR, group {group}: an old primary came back and was fenced, fully or in part. "
    "`incorta-dr status` and the ledger say which; the run is {{{{ run_id }}}}."
)


def watch_dag(name: str, group: Group) -> DAG:
    """Return the DAG that waits for old primaries."""
    told = None
    if group.notify_conn_id is not None:
        told = WebhookNotifier(notify_conn_id=group.notify_conn_id, text=TOLD.format(group=name))
    with DAG(
        dag_id=f"incorta_watch__{name}",
        description=f"Fences an old primary of {name} that comes back after a cutover",
        doc_md=DOC.format(group=name),
        schedule="* * * * *",
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        dagrun_timeout=timedelta(minutes=30),
        tags=["incorta", "disaster recovery", "watch"],
    ) as dag:
        FenceReturnedSiteOperator(task_id="fence_returned_site", group=name, on_success_callback=told)
    return dag


for group_name, protection_group in read_topology(topology_path()).groups.items():
    made = watch_dag(group_name, protection_group)
    globals()[made.dag_id] = made
