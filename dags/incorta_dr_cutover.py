"""Cutover: one manually triggered DAG for each protection group in the topology.

Wiring only. What may run when is decided by the cutover's own journal, not by the order of these tasks.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param, chain
from airflow.utils.types import DagRunType

from incorta_provider.dr.plan import Mode
from incorta_provider.dr.topology import Group
from incorta_provider.operators.approval import CutoverApprovalOperator
from incorta_provider.operators.base import topology_path
from incorta_provider.operators.cutover import (
    ApplyPendingOperator,
    CompareReplicaOperator,
    FenceOperator,
    PromoteOperator,
    RequestCutoverOperator,
    RestoreMetadataOperator,
    RewriteMetadataOperator,
    StartAnalyticsOperator,
    StartCmcOperator,
    StartLoaderOperator,
    StartNodesOperator,
    StopTargetOperator,
    VerifyServiceOperator,
)
from incorta_provider.sensors.site_ready import SiteReadySensor
from incorta_provider.steps.topology_file import read_topology

DOC = """
Moves **{group}** to another site. A person triggers it, another person approves it; nothing is changed before.

1. *request* checks the form, the recovery point and the target site, and freezes the plan.
2. *approve* shows the plan and waits. Silence is a refusal.
3. *fence* raises the epoch, so that the old site's work is refused, and stops its services where it can be reached.
4. *stop_target* stops what Incorta runs at the target: its files and metadata are about to be replaced.
5. Files and metadata become those of the recovery point, and are compared with it, before any service starts.
6. ZooKeeper, node agents, CMC, Loader and Analytics start in this order, each when the one before is really ready.
7. *verify_service* logs in; *promote* records the new active site and writes the report.

A failed task may be cleared: the journal in the catalog knows what is done.
"""


def cutover_params(group: Group) -> dict[str, Param]:
    """Return the trigger form. The confirmation is a pattern, because the UI hides fields with a constant."""
    sites = list(group.sites)
    return {
        "target_site": Param(type="string", enum=sites, default=group.dr_sites[0], title="Site to promote"),
        "mode": Param(
            Mode.UNPLANNED.value,
            type="string",
            enum=[mode.value for mode in Mode],
            title="Mode",
            description_md="**unplanned**: the primary is gone. What it did after the recovery point is lost.",
        ),
        "recovery_point": Param(
            None,
            type=["null", "string"],
            title="Recovery point",
            description_md="Its id, from *Browse > Incorta DR* or `incorta-dr status`. Empty: the newest.",
        ),
        "confirmation": Param(
            type="string",
            pattern=f"^PROMOTE ({'|'.join(sites)})$",
            title="Confirmation",
            description_md="Type **PROMOTE** and the site's name.",
        ),
        "reason": Param(type="string", minLength=1, title="Reason", description_md="For the ledger and the report."),
    }


def cutover_dag(name: str, group: Group) -> DAG:
    """Return the group's cutover DAG."""
    site = {"group": name, "target": "{{ params.target_site }}"}
    with DAG(
        dag_id=f"incorta_dr_cutover__{name}",
        description=f"Disaster recovery cutover of {name}: manual, approved by a second person",
        doc_md=DOC.format(group=name),
        schedule=None,
        allowed_run_types=DagRunType.MANUAL,  # type: ignore[arg-type]  # Airflow has two enums of the same values
        max_active_runs=1,
        catchup=False,
        is_paused_upon_creation=False,
        params=cutover_params(group),
        tags=["incorta", "disaster recovery", "cutover"],
    ) as dag:
        chain(
            RequestCutoverOperator(
                task_id="request",
                mode="{{ params.mode }}",
                recovery_point="{{ params.recovery_point or '' }}",
                confirmation="{{ params.confirmation }}",
                reason="{{ params.reason }}",
                **site,
            ),
            CutoverApprovalOperator(
                task_id="approve", response_timeout=timedelta(seconds=group.approval.timeout_seconds), **site
            ),
            FenceOperator(task_id="fence", **site),
            StopTargetOperator(task_id="stop_target", **site),
            ApplyPendingOperator(task_id="apply", **site),
            RestoreMetadataOperator(task_id="restore_metadata", **site),
            RewriteMetadataOperator(task_id="rewrite_metadata", **site),
            CompareReplicaOperator(task_id="compare", **site),
            SiteReadySensor(task_id="zookeeper_ready", part="zookeeper", **site),
            StartNodesOperator(task_id="start_nodes", **site),
            SiteReadySensor(task_id="nodes_ready", part="nodes", **site),
            StartCmcOperator(task_id="start_cmc", **site),
            SiteReadySensor(task_id="cmc_ready", part="cmc", **site),
            StartLoaderOperator(task_id="start_loader", **site),
            SiteReadySensor(task_id="loader_ready", part="loader", **site),
            StartAnalyticsOperator(task_id="start_analytics", **site),
            SiteReadySensor(task_id="analytics_ready", part="analytics", **site),
            VerifyServiceOperator(task_id="verify_service", **site),
            PromoteOperator(task_id="promote", **site),
        )
    return dag


for group_name, protection_group in read_topology(topology_path()).groups.items():
    made = cutover_dag(group_name, protection_group)
    globals()[made.dag_id] = made
