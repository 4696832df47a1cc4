"""Says why a run failed: its failed task and the end of that task's log."""

from __future__ import annotations

from lab.airflow.client import AirflowClient

LINES = 15


def explain(airflow: AirflowClient, dag_id: str, run_id: str) -> str:
    """Return the failed tasks of a run with the end of their logs."""
    failed = [task for task in airflow.tasks(dag_id, run_id) if task.state == "failed"]
    if not failed:
        return f"run {run_id}: no task failed"
    parts = []
    for task in failed:
        log = "\n  ".join(airflow.log(dag_id, run_id, task)[-LINES:])
        parts.append(f"task {task.task_id} failed, try {task.try_number}. The end of its log:\n  {log}\n")
    return "\n".join(parts)
