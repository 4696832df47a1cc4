"""A gate under the name of a cutover, and a DAG that is none of these people's business."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG

for dag_id in ("incorta_dr_cutover__acme", "somebody_elses"):
    with DAG(dag_id, schedule=None, is_paused_upon_creation=False) as dag:
        gate = HITLOperator(
            task_id="approve",
            subject="May it?",
            options=["Approve", "Reject"],
            defaults=["Reject"],
            response_timeout=timedelta(minutes=10),
        )
        gate >> EmptyOperator(task_id="fence")
    globals()[dag_id] = dag

with DAG("incorta_watch__acme", schedule=None) as watch:
    EmptyOperator(task_id="look")
