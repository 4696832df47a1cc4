"""The RPO under load: real Airflow, real databases, load jobs, replication as often as it can, for BENCH_MINUTES."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from incorta_provider.storage.catalog import Catalog
from lab.airflow import runner
from lab.airflow.client import AirflowClient
from lab.airflow.settings import REQUESTER, Settings
from lab.demo.primary import install_primary, start_primary, start_workload
from lab.demo.progress import Progress
from lab.demo.replication import DAG_ID, wait_for_points
from lab.files import write
from lab.layout import DR, GROUP, Lab
from lab.up import up
from tests.benchmarks.rpo import Sealed, Watch, ages, missed_bar, percentile
from tests.benchmarks.rpo_phases import RunTime, end_of, medians, run_time, step_seconds

RESULT = Path(__file__).parents[2] / ".bench" / "rpo.json"
MINUTES = float(os.environ.get("BENCH_MINUTES", "20"))
WARM_UP_POINTS = 2
"""The first point is a full copy; the time starts when the one behind it is there."""

BAR_SECONDS = 60.0
FULL_MINUTES = 20
"""A shorter measurement is a look, and judged by its points alone."""

pytestmark = [pytest.mark.bench, pytest.mark.lab, pytest.mark.airflow, pytest.mark.timeout(int(MINUTES * 60) + 900)]


@pytest.fixture(scope="module")
def airflow(lab_layout: Lab) -> Iterator[AirflowClient]:
    """Lend an Airflow that replicates without a pause while load jobs run."""
    say = Progress()
    up(lab_layout, say)
    replicate_without_pause(lab_layout)
    install_primary(lab_layout, say)
    start_primary(lab_layout, say)
    settings = Settings(lab_layout)
    runner.up(settings, say)
    with AirflowClient(settings.url, REQUESTER, settings.passwords()[REQUESTER]) as client:
        client.wait_until_parsed(DAG_ID)
        start_workload(lab_layout, say)
        client.unpause(DAG_ID)
        wait_for_points(WARM_UP_POINTS, lab_layout, client, say)
        yield client
        client.pause(DAG_ID)
    runner.down(settings)


def replicate_without_pause(lab: Lab) -> None:
    topology = yaml.safe_load(lab.topology_file.read_text(encoding="utf-8"))
    topology["groups"][GROUP]["replication"]["schedule"] = "@continuous"
    write(lab.topology_file, yaml.safe_dump(topology, sort_keys=False))


def test_the_rpo_under_load(airflow: AirflowClient, lab_layout: Lab) -> None:
    watch = Watch(Catalog(lab_layout.site(DR).catalog))
    watch.look()
    begin = time.time()
    watch.until(begin + MINUTES * 60)
    end = time.time()
    airflow.pause(DAG_ID)
    failed = [run for run, state in runs_since(airflow, begin).items() if state == "failed"]
    points = [point for point in watch.points if point.seen_at > begin]
    seen = ages(watch.points, begin, end)
    result = {
        "p50_s": round(percentile(seen, 0.5), 1),
        "p95_s": round(percentile(seen, 0.95), 1),
        "max_s": round(max(seen), 1),
        "points": len(points),
        "failed_runs": len(failed),
        "exceptions": [*(f"run {run} failed" for run in failed), *named_exceptions(points)],
        "minutes": MINUTES,
        "load": round(os.getloadavg()[2], 1),
        "phases": medians(list(times_of(airflow, [point.run_id for point in points]))),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"\nRESULT {json.dumps(result)}")
    assert missed_bar(result, BAR_SECONDS if MINUTES >= FULL_MINUTES else math.inf) == []


def runs_since(airflow: AirflowClient, begin: float) -> dict[str, str]:
    """Return run id and state of the runs that were under way then or later."""
    found = airflow.runs(DAG_ID, limit=1000)
    return {run: state for run, state in found.items() if ended_after(airflow, run, begin)}


def ended_after(airflow: AirflowClient, run_id: str, begin: float) -> bool:
    tasks = [task for task in airflow.tasks(DAG_ID, run_id) if task.start]
    return not tasks or end_of(tasks) >= begin


def named_exceptions(points: list[Sealed]) -> list[str]:
    return [f"{point.id}: {exception}" for point in points for exception in point.exceptions]


def times_of(airflow: AirflowClient, run_ids: list[str]) -> Iterator[RunTime]:
    """Yield the times of the runs, which follow each other."""
    before = None
    for run_id in run_ids:
        tasks = airflow.tasks(DAG_ID, run_id)
        yield run_time(tasks, step_seconds(airflow, DAG_ID, run_id, tasks), before)
        before = end_of(tasks)
