"""Cutover: one manually triggered DAG for each protection group in the topology.

Wiring only. What may run when is decided by the cutover's own journal, not by the order of these tasks.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, BaseOperator, Param, TriggerRule, chain, cross_downstream
from airflow.utils.types import DagRunType

from incorta_provider.dr.plan import CUTOVERS, Mode
from incorta_provider.dr.topology import Group
from incorta_provider.operators.approval import CutoverApprovalOperator
from incorta_provider.operators.base import topology_path
from incorta_provider.operators.cutover import (
    ApplyPendingOperator,
    CommitOperator,
    CompareReplicaOperator,
    FenceOperator,
    FinalSyncOperator,
    PromoteOperator,
    QuiesceOperator,
    RequestCutoverOperator,
    RestoreMetadataOperator,
    RewriteMetadataOperator,
    StartAnalyticsOperator,
    StartCmcOperator,
    StartLoaderOperator,
    StartNodesOperator,
    StopTargetOperator,
    SwitchTrafficOperator,
    TakeStepsOperator,
    VerifyServiceOperator,
)
from incorta_provider.operators.window import CommitWindowOperator
from incorta_provider.sensors.site_ready import SiteReadySensor
from incorta_provider.steps.topology_file import read_topology

DOC = """
Moves **{group}** to another site. One person triggers it, another person approves it; nothing is changed before that.

1. *request* checks the form, the recovery point and the target site, and freezes the plan.
2. *approve* shows the plan and waits. Silence is a refusal.
3. *take_steps* takes all the steps below, as fast as the site allows. Each task after it shows the result of its own
   step, and does the step if it could not be done here. If the active site is up (planned, failback), *quiesce* waits
   for its loads and stops it, and *final_sync* replicates it once more.
4. *fence* raises the epoch, so that the old site's work is refused, and stops its services if it can be reached.
5. *stop_target* stops what of Incorta runs at the target: its files and metadata are about to be replaced.
6. Files and metadata are brought to the recovery point and compared with it, before any service starts.
7. ZooKeeper, node agents, CMC, Loader and Analytics start in this order, each when the one before is really ready.
8. *verify_service* logs in. If the topology says so, *switch_traffic* sends people there, and *commit_window* asks
   whether to commit or to roll back. *promote* records the new active site and writes the report.

A failed task can be cleared: the journal in the catalog knows what is done.
"""


def cutover_params(group: Group) -> dict[str, Param]:
    """Return the trigger form. The confirmation is a pattern, because the UI hides fields with a constant."""
    sites = list(group.sites)
    return {
        "target_site": Param(type="string", enum=sites, default=group.dr_sites[0], title="Site to promote"),
        "mode": Param(
            Mode.UNPLANNED.value,
            type="string",
            enum=[mode.value for mode in CUTOVERS],
            title="Mode",
            description_md="**planned**: the active site is up; it is stopped and replicated once more, and nothing is "
            "lost. **failback**: the same, back to the primary. **unplanned**: the active site is gone; what it did "
            "after the recovery point is lost.",
        ),
        "accept_unfenced": Param(
            False,
            type="boolean",
            title="The active site may stay unfenced",
            description_md="Only **unplanned**: go on although it cannot be reached and may still write: shut it off.",
        ),
        "recovery_point": Param(
            None,
            type=["null", "string"],
            title="Recovery point",
            description_md="Its id, from *Browse > Incorta DR* or `incorta-dr status`. Empty: the newest. Only for "
            "**unplanned**; the other modes make one.",
        ),
        "confirmation": Param(
            type="string",
            pattern=f"^PROMOTE ({'|'.join(sites)})$",
            title="Confirmation",
            description_md="Type **PROMOTE** and the site's name.",
        ),
        "reason": Param(type="string", minLength=1, title="Reason", description_md="For the ledger and the report."),
    }


def ends(group: Group, site: dict[str, str]) -> list[BaseOperator]:
    """Return the tasks after the verified service: some are there only when the topology asks for them."""
    window = group.commit_window
    tasks: list[BaseOperator] = []
    if group.traffic:
        tasks.append(SwitchTrafficOperator(task_id="switch_traffic", **site))
    if window.seconds:
        tasks.append(
            CommitWindowOperator(task_id="commit_window", window=window, trigger_rule=TriggerRule.NONE_FAILED, **site)
        )
    tasks.append(PromoteOperator(task_id="promote", trigger_rule=TriggerRule.NONE_FAILED, **site))
    if window.seconds:
        tasks.append(CommitOperator(task_id="commit", **site))
    return tasks


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
        data = [
            ApplyPendingOperator(task_id="apply", **site),
            RestoreMetadataOperator(task_id="restore_metadata", **site),
        ]
        proofs = [
            RewriteMetadataOperator(task_id="rewrite_metadata", **site),
            CompareReplicaOperator(task_id="compare", **site),
        ]
        cross_downstream(data, proofs)
        chain(
            RequestCutoverOperator(
                task_id="request",
                mode="{{ params.mode }}",
                recovery_point="{{ params.recovery_point or '' }}",
                confirmation="{{ params.confirmation }}",
                reason="{{ params.reason }}",
                accept_unfenced="{{ params.accept_unfenced }}",
                **site,
            ),
            CutoverApprovalOperator(
                task_id="approve", response_timeout=timedelta(seconds=group.approval.timeout_seconds), **site
            ),
            TakeStepsOperator(task_id="take_steps", **site),
            QuiesceOperator(task_id="quiesce", **site),
            FinalSyncOperator(task_id="final_sync", trigger_rule=TriggerRule.NONE_FAILED, **site),
            FenceOperator(task_id="fence", trigger_rule=TriggerRule.NONE_FAILED, **site),
            StopTargetOperator(task_id="stop_target", **site),
            data,
        )
        chain(
            proofs,
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
            *ends(group, site),
        )
    return dag


for group_name, protection_group in read_topology(topology_path()).groups.items():
    made = cutover_dag(group_name, protection_group)
    globals()[made.dag_id] = made
