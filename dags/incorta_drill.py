"""Drill: for each protection group with a place for drills, one DAG that tries a recovery point out beside the replica.

Wiring only. A person triggers it, or another DAG does; nobody has to approve it, because nothing is moved.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, chain

from incorta_provider.dr.topology import Group
from incorta_provider.operators.base import topology_path
from incorta_provider.operators.drill import CleanDrillOperator, RequestDrillOperator, TakeDrillOperator
from incorta_provider.steps.topology_file import read_topology

DOC = """
Tries a cutover of **{group}** out beside the live replica, then removes everything again. Replication continues.

1. *request* checks the recovery point and the place for drills, and freezes the plan.
2. *take_steps* brings the point's files to a folder of their own, makes a scratch schema, switches off what must not
   run in a copy, reads every file, starts Incorta in the same order as a cutover, logs in, and marks the point as
   proven.
3. *clean_drill* stops Incorta, drops the schema, removes the files and writes the report, with the RTO to expect of a
   cutover. It runs after a failure, too.

If Airflow dies before that, run `incorta-dr drill clean --group {group} --site SITE`. The next drill does it, too.
"""


def drill_params(sites: list[str]) -> dict[str, Param]:
    """Return the trigger form."""
    return {
        "site": Param(sites[-1], type="string", enum=sites, title="Site", description_md="A DR site."),
        "recovery_point": Param(
            None,
            type=["null", "string"],
            title="Recovery point",
            description_md="Its id, from *Browse > Incorta DR* or `incorta-dr status`. Empty: the newest.",
        ),
        "reason": Param("drill", type="string", minLength=1, title="Reason", description_md="For the ledger."),
    }


def drill_dag(name: str, sites: list[str]) -> DAG:
    """Return the group's drill DAG.

    :param sites: those with a place for drills.
    """
    site = {"group": name, "site": "{{ params.site }}"}

    with DAG(
        dag_id=f"incorta_dr_drill__{name}",
        description=f"Disaster recovery drill of {name}: tries a recovery point out and moves nothing",
        doc_md=DOC.format(group=name),
        schedule=None,
        max_active_runs=1,
        catchup=False,
        is_paused_upon_creation=False,
        params=drill_params(sites),
        tags=["incorta", "disaster recovery", "drill"],
    ) as dag:
        requested = RequestDrillOperator(
            task_id="request",
            recovery_point="{{ params.recovery_point or '' }}",
            reason="{{ params.reason }}",
            **site,
        )
        cleaned = CleanDrillOperator(task_id="clean_drill", **site)
        chain(
            requested,
            TakeDrillOperator(task_id="take_steps", **site),
            cleaned.as_teardown(setups=requested, on_failure_fail_dagrun=True),
        )
    return dag


def places(group: Group) -> list[str]:
    """Return the sites that have a place for drills."""
    return [name for name, site in group.sites.items() if site.drill]


for group_name, protection_group in read_topology(topology_path()).groups.items():
    if drilled := places(protection_group):
        made = drill_dag(group_name, drilled)
        globals()[made.dag_id] = made
