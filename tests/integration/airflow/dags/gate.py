"""A DAG with a gate, as small as can be."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG, Param, task

with DAG("gate", schedule=None, params={"confirmation": Param(type="string", pattern="^PROMOTE$")}):

    @task
    def requested_by(**context: object) -> str:
        """Return who triggered the run."""
        return str(context["dag_run"].triggering_user_name)  # type: ignore[attr-defined]

    @task
    def act() -> str:
        """Return a word."""
        return "acted"

    gate = HITLOperator(
        task_id="approve",
        subject="May it?",
        body="**The plan**",
        options=["Approve", "Reject"],
        defaults=["Reject"],
        response_timeout=timedelta(minutes=5),
    )
    requested_by() >> gate >> act()
