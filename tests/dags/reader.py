"""Reads folders of DAGs as Airflow's own reader does, each in a process of its own.

Airflow is imported once, which takes longer than all the rest; each reading is done by a fork of this process, so that
none finds what another left in memory. Takes a line of JSON for each, ``{"folder": …, "environment": {…}}``, and
answers with a line that begins with ``RESULT``.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG


def main() -> None:
    """Answer until there are no more questions."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _answer(**json.loads(line))
        _, status = os.waitpid(child, 0)
        if status:
            _tell({"broken": f"the reading ended with status {os.waitstatus_to_exitcode(status)}"})


def _answer(folder: str, environment: dict[str, str]) -> None:
    try:
        os.environ.update(environment)
        bag = DagBag(dag_folder=folder, safe_mode=False)
        found = {"errors": bag.import_errors, "dags": {name: _facts(dag) for name, dag in bag.dags.items()}}
    except BaseException:
        found = {"broken": traceback.format_exc()}
    _tell(found)
    os._exit(0)


def _tell(found: dict[str, Any]) -> None:
    print(f"\nRESULT{json.dumps(found)}", flush=True)


def _facts(dag: DAG) -> dict[str, Any]:
    return {
        "tasks": {task.task_id: sorted(task.upstream_task_ids) for task in dag.tasks},
        "rules": {task.task_id: task.trigger_rule.value for task in dag.tasks},
        "retries": {task.task_id: task.retries for task in dag.tasks},
        "weights": {task.task_id: task.priority_weight for task in dag.tasks},
        "max_active_runs": dag.max_active_runs,
        "max_active_tasks": dag.max_active_tasks,
        "schedule": str(dag.schedule),
        "catchup": dag.catchup,
        "run_types": sorted(kind.value for kind in dag.allowed_run_types or ()),
        "params": {key: dag.params.get_param(key).schema for key in dag.params},
    }


if __name__ == "__main__":
    main()
