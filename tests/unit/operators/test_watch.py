from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowSkipException

from incorta_provider.exceptions import NothingToDo
from incorta_provider.operators import watch as watch_module
from incorta_provider.operators.watch import FenceReturnedSiteOperator
from tests.builders.group import NOON, Bench

CONTEXT: Any = {"dag_run": SimpleNamespace(run_id="scheduled__1", triggering_user_name=None, run_after=NOON)}


@pytest.fixture
def task() -> FenceReturnedSiteOperator:
    with DAG("incorta_watch__acme", schedule=None):
        return FenceReturnedSiteOperator(task_id="t", group="acme")


def test_what_was_fenced_is_returned_by_site(
    task: FenceReturnedSiteOperator, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def watch(access: Any, *, by: str) -> dict[str, Any]:
        assert (access.name, by) == ("acme", "dag incorta_watch__acme")
        return {"berlin": {"stopped": ["database"], "not_reached": {"epoch registry": "gone"}, "unfenced": True}}

    monkeypatch.setattr(watch_module, "watch", watch)
    assert task.execute(CONTEXT) == {"berlin": {"stopped": ["database"], "unfenced": True}}


def test_nothing_to_fence_is_a_skip_and_no_failure_is_tried_again_before_the_next_minute(
    task: FenceReturnedSiteOperator, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def watch(*_: Any, **__: Any) -> dict[str, Any]:
        raise NothingToDo("every site that gave its role up is fenced")

    monkeypatch.setattr(watch_module, "watch", watch)
    with pytest.raises(AirflowSkipException, match="every site"):
        task.execute(CONTEXT)
    assert task.retries == 0
