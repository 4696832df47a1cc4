from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.standard.operators import hitl
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, TaskAwaitingInput

from incorta_provider.dr.topology import CommitWindow
from incorta_provider.operators import window as module
from incorta_provider.operators.window import CommitWindowOperator
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.cutover.window import NOBODY
from tests.builders.group import Bench

CONTEXT: Any = {
    "dag_run": SimpleNamespace(run_id="manual__1", triggering_user_name="hana", clear_number=0),
    "task_instance": SimpleNamespace(id="the task"),
}


@pytest.fixture
def decisions(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[list[str], str]]]:
    """Note what is decided, and by whom."""
    found: list[tuple[list[str], str]] = []

    def decide(run: CutoverRun, chosen: list[str], *, by: str) -> Any:
        found.append((chosen, by))
        return SimpleNamespace(role=SimpleNamespace(active="berlin")) if chosen == ["Roll back"] else None

    monkeypatch.setattr(module, "dr_access", lambda _: bench.access)
    monkeypatch.setattr(module, "decide", decide)
    monkeypatch.setattr(module, "question", lambda run, page: f"{run.run_id} {page}")
    return found


def window(silence: str) -> CommitWindowOperator:
    with DAG("cutover", schedule=None):
        return CommitWindowOperator(
            task_id="w", group="acme", target="newyork", window=CommitWindow(seconds=90, on_timeout=silence)
        )


def test_it_waits_as_long_as_the_topology_says_or_for_a_person() -> None:
    assert (window("commit").defaults, window("commit").response_timeout) == (["Commit"], timedelta(seconds=90))
    assert window("roll_back").defaults == ["Roll back"]
    assert (window("keep").defaults, window("keep").response_timeout) == (None, None)


def test_it_asks_with_the_way_to_the_report(decisions: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **fields: asked.update(fields))
    with pytest.raises(TaskAwaitingInput):
        window("keep").execute(CONTEXT)
    assert asked["body"] == "manual__1 /incorta-dr/groups/acme/sites/newyork/cutovers/manual__1"
    assert asked["options"] == ["Commit", "Roll back"]


@pytest.mark.parametrize(
    ("user", "by"), [({"id": "3", "name": "omar"}, "omar"), ({"id": "omar"}, "omar"), (None, NOBODY), ({}, NOBODY)]
)
def test_a_commit_goes_on_and_says_who_decided(decisions: list[Any], user: dict[str, str] | None, by: str) -> None:
    event = {"chosen_options": ["Commit"], "responded_by_user": user}
    assert window("commit").execute_complete(CONTEXT, event) == {"decided": "Commit", "by": by}
    assert decisions == [(["Commit"], by)]


def test_a_roll_back_ends_the_run_as_failed(decisions: list[Any]) -> None:
    event = {"chosen_options": ["Roll back"], "responded_by_user": {"name": "omar"}}
    with pytest.raises(AirflowFailException, match="rolled back, decided by omar: berlin is active again"):
        window("keep").execute_complete(CONTEXT, event)
