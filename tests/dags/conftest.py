"""The DAGs as Airflow's own reader finds them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

DAGS = Path(__file__).parents[2] / "dags"

READER = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder=sys.argv[1], safe_mode=False)
print("RESULT" + json.dumps({
    "errors": bag.import_errors,
    "dags": {
        name: {
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
        for name, dag in bag.dags.items()
    },
}))
"""


@pytest.fixture(scope="session")
def read_dags(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict]:
    """Return a function that reads a folder of DAGs with a given topology, in a process of its own."""
    home = tmp_path_factory.mktemp("airflow")

    def read(topology: Path | None, folder: Path = DAGS) -> dict:
        environment = _environment(home)
        if topology is not None:
            environment["AIRFLOW__INCORTA_DR__TOPOLOGY"] = str(topology)
        done = subprocess.run(
            [sys.executable, "-c", READER, str(folder)], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))
        return json.loads(line.removeprefix("RESULT"))

    return read


def _environment(home: Path) -> dict[str, str]:
    return {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    }
