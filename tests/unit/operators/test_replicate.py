"""The whole protocol in one task."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from incorta_provider.exceptions import SiteIsActive
from incorta_provider.operators import replication as replication_operators
from incorta_provider.operators.replication import (
    OpeningOperator,
    OpenRecoveryPointOperator,
    ReplicateOperator,
    recovery_point_asset,
)
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
        made = ReplicateOperator(task_id="replicate", group="acme", target="newyork", outlets=[asset])
    given: Any = {"dag_run": SimpleNamespace(run_id="r1"), "outlet_events": defaultdict(SimpleNamespace)}
    facts = made.execute(given)
    assert [(run.run_id, run.target.name) for run in runs] == [("r1", "newyork")]
    assert facts["recovery_point"] == point.id
    assert given["outlet_events"][asset].extra == facts


@pytest.mark.parametrize("kind", [OpenRecoveryPointOperator, ReplicateOperator])
def test_a_run_to_the_active_site_waits_without_a_worker_looks_again_and_is_skipped(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, kind: type[OpeningOperator]
) -> None:
    point = sealed_point(bench.catalog)
    waiting = [SiteIsActive("newyork is the active site (epoch 2)")] * 2

    def take(run: ReplicationRun) -> Any:
        if waiting:
            raise waiting.pop()
        return SimpleNamespace(point_id=point.id) if kind is OpenRecoveryPointOperator else point

    for step in ("open_run", "replicate"):
        monkeypatch.setattr(replication_operators, step, take)
    with DAG("replication", schedule=None):
        made = kind(task_id="first", group="acme", target="newyork")
    given: Any = {"dag_run": SimpleNamespace(run_id="r1"), "outlet_events": defaultdict(SimpleNamespace)}
    with pytest.raises(TaskDeferred) as deferred:
        made.execute(given)
    assert isinstance(deferred.value.trigger, TimeDeltaTrigger)
    look_again = getattr(made, deferred.value.method_name)
    with pytest.raises(AirflowSkipException, match="newyork is the active site"):
        look_again(given, None)
    told = look_again(given, None)
    assert (told if kind is OpenRecoveryPointOperator else told["recovery_point"]) == point.id
