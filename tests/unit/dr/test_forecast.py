"""What RTO a drill foretells."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.dr.forecast import Forecast, airflow_seconds
from incorta_provider.dr.ledger import LedgerEntry

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
PARTS: dict[str, Any] = {"airflow_seconds": 2.0, "fence_seconds": 0.5, "stop_seconds": 3.0, "steps_seconds": 7.25}
SECONDS = st.floats(0, 1e5)


def lines(*events: tuple[str, float]) -> list[LedgerEntry]:
    """Return a ledger of these events, at so many seconds behind noon."""
    fields = {"group": "acme", "run_id": "d", "actor": "", "details": {}, "previous": "", "digest": ""}
    return [
        LedgerEntry(sequence=number, at=NOON + timedelta(seconds=at), event=event, key=str(number), **fields)
        for number, (event, at) in enumerate(events, start=1)
    ]


def test_its_parts_add_up_and_are_told() -> None:
    forecast = Forecast(**PARTS)
    assert forecast.seconds == 12.75
    assert forecast.in_words == "12.75 s: Airflow 2 s, fence 0.5 s, stop_target 3 s, the rest 7.25 s"


def test_a_fence_that_nobody_has_seen_is_left_out_and_said_so() -> None:
    forecast = Forecast.known({**PARTS, "fence_seconds": None})
    assert forecast is not None
    assert forecast.seconds == 12.25
    assert forecast.in_words.endswith("; without the fence, which no cutover has shown yet")


@pytest.mark.parametrize("missing", ["airflow_seconds", "stop_seconds", "steps_seconds"])
def test_without_what_every_drill_measures_there_is_none(missing: str) -> None:
    assert Forecast.known({**PARTS, missing: None}) is None


@given(SECONDS, SECONDS, SECONDS, SECONDS)
def test_it_is_never_less_than_one_of_its_parts(airflow: float, fence: float, stop: float, steps: float) -> None:
    forecast = Forecast(airflow_seconds=airflow, fence_seconds=fence, stop_seconds=stop, steps_seconds=steps)
    assert forecast.seconds >= max(airflow, fence, stop, steps) - 0.001
    without = forecast.model_copy(update={"fence_seconds": None})
    assert without.seconds <= forecast.seconds


def test_airflow_takes_two_beginnings_of_tasks_of_which_a_drill_shows_the_first() -> None:
    told = lines(
        ("drill.requested", 0), ("drill.step.started", 1.25), ("drill.step.failed", 2), ("drill.step.started", 9)
    )
    assert airflow_seconds(told) == 2.5


@pytest.mark.parametrize("events", [[], [("drill.requested", 0.0)], [("drill.step.started", 1.0)]])
def test_lines_that_are_not_there_say_nothing(events: list[tuple[str, float]]) -> None:
    assert airflow_seconds(lines(*events)) is None
