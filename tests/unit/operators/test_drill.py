"""The tasks of a drill find their run, and tell where its report is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from incorta_provider.dr.plan import Mode
from incorta_provider.operators import drill as drill_operators
from incorta_provider.operators.drill import CleanDrillOperator, RequestDrillOperator, TakeDrillOperator
from tests.builders.drill import drill_document, planned_drill, with_drill
from tests.builders.group import NOON, Bench, write_topology

PLACE = {"group": "acme", "site": "newyork"}


@pytest.fixture
def drilled(bench: Bench) -> Bench:
    write_topology(bench.root, drill_document(bench.root))
    return with_drill(bench)


def context(user: str | None = "hana") -> Any:
    facts = {"run_id": "manual__drill", "triggering_user_name": user, "run_after": NOON, "clear_number": 0}
    return {"dag_run": SimpleNamespace(**facts)}


@pytest.mark.parametrize(("user", "by"), [("hana", "hana"), (None, "schedule")])
def test_a_request_freezes_the_plan_of_a_drill(
    drilled: Bench, monkeypatch: pytest.MonkeyPatch, user: str | None, by: str
) -> None:
    asked = []

    def request(run: Any, request: Any) -> Any:
        asked.append(request)
        return planned_drill(drilled).folder.plan()

    monkeypatch.setattr(drill_operators, "request_drill", request)
    facts = RequestDrillOperator(task_id="request", recovery_point="", reason="monthly", **PLACE).execute(context(user))
    (request_,) = asked
    assert (request_.mode, request_.target, request_.reason) == (Mode.DRILL, "newyork", "monthly")
    assert (request_.requested_by, request_.requested_at, request_.run_id) == (by, NOON, "manual__drill")
    assert facts["recovery_point"] == drilled.catalog.get().id


def test_one_task_takes_all_steps_in_the_place_for_drills(drilled: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    monkeypatch.setattr(drill_operators, "take_drill", lambda run: taken.append(run) or {"done": ["compare"]})
    assert TakeDrillOperator(task_id="take_steps", **PLACE).execute(context()) == {"done": ["compare"]}
    assert [(run.site.name, run.target.config.storage) for run in taken] == [
        ("newyork", f"file://{drilled.root}/newyork/drill")
    ]


def test_cleaning_up_tells_where_the_report_is(drilled: Bench) -> None:
    run = planned_drill(drilled)
    facts = CleanDrillOperator(task_id="clean_drill", **PLACE).execute(context())
    assert facts == {
        "report": str(run.folder.root / "report.json"),
        "group": "acme",
        "site": "newyork",
        "run_id": "manual__drill",
        "outcome": "failed",
        "rto_seconds": None,
    }


def test_a_site_without_a_place_for_drills_is_told(drilled: Bench) -> None:
    task = TakeDrillOperator(task_id="take_steps", group="acme", site="berlin")
    with pytest.raises(AirflowFailException, match="site berlin has no place for drills"):
        task.execute(context())
