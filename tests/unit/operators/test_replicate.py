"""The whole protocol in one task."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG

from incorta_provider.operators import replication as replication_operators
from incorta_provider.operators.replication import ReplicateOperator, recovery_point_asset
from incorta_provider.steps.replication.run import ReplicationRun
from tests.builders.group import Bench, sealed_point


def test_one_task_takes_all_steps_and_tells_the_point_to_its_asset(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[ReplicationRun] = []
    point = sealed_point(bench.catalog)

    def replicate(run: ReplicationRun) -> Any:
        runs.append(run)
        return point

    monkeypatch.setattr(replication_operators, "replicate", replicate)
    asset = recovery_point_asset("acme", "newyork")
    with DAG("without_pause", schedule=None):
        made = ReplicateOperator(task_id="replicate", group="acme", source="berlin", target="newyork", outlets=[asset])
    given: Any = {"dag_run": SimpleNamespace(run_id="r1"), "outlet_events": defaultdict(SimpleNamespace)}
    facts = made.execute(given)
    assert [(run.run_id, run.source.name, run.target.name) for run in runs] == [("r1", "berlin", "newyork")]
    assert facts["recovery_point"] == point.id
    assert given["outlet_events"][asset].extra == facts
