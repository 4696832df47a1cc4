from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.dr.forecast import Forecast
from incorta_provider.dr.report import (
    FailedTry,
    Report,
    StepTime,
    expected_rto,
    newest_cutovers,
    newest_runs,
    step_time,
)
from incorta_provider.dr.report_picture import LEFT, RIGHT, WIDTH, short_time, tick_seconds, timeline_picture

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"


def report(*spans: tuple[float, float], **changes: Any) -> Report:
    """Return a report of steps with these beginnings and ends."""
    fields = {
        "group": "acme",
        "run_id": "manual__1",
        "mode": "unplanned",
        "source": "berlin",
        "target": "newyork",
        "recovery_point": "p1",
        "requested_by": "hana",
        "reason": "fire",
        "requested_at": NOON,
        "approved_at": NOON,
        "steps": [
            StepTime(name=f"step{number}", site="newyork", seconds=done - began, done_after_seconds=done)
            for number, (began, done) in enumerate(spans)
        ],
    }
    return Report(**{**fields, **changes})


def elements(shown: Report, tag: str, kind: str) -> list[ElementTree.Element]:
    picture = ElementTree.fromstring(timeline_picture(shown))
    return [each for each in picture.iter(f"{SVG}{tag}") if each.get("class") == kind]


class TestTimes:
    def test_steps_that_overlap_count_once(self) -> None:
        assert report((0, 10), (5, 12), (20, 30), rto_seconds=30).working_seconds == 22
        assert report((0, 10), (2, 4), rto_seconds=10).working_seconds == 10

    def test_what_comes_behind_the_verified_service_is_no_part_of_the_rto(self) -> None:
        assert report((0, 10), (10, 20), rto_seconds=10).working_seconds == 10
        assert report((0, 10), (10, 20)).working_seconds == 20

    @given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 1e4)).map(sorted).map(tuple), max_size=8))
    def test_no_more_passes_within_steps_than_passes_at_all(self, spans: list[tuple[float, float]]) -> None:
        shown = report(*spans)
        longest = max((done - began for began, done in spans), default=0.0)
        assert longest - 0.01 <= shown.working_seconds <= shown.end_seconds + 0.01


class TestPast:
    def runs(self, *rtos: float | None) -> list[Report]:
        return [
            report((0, 2.0 + number), run_id=f"r{number}", rto_seconds=rto, approved_at=NOON - timedelta(days=number))
            for number, rto in enumerate(rtos, start=1)
        ]

    def test_the_newest_five_that_came_to_a_verified_service_count(self) -> None:
        past = newest_runs(self.runs(10, None, 30, 40, 50, 60, 70), run_id="now", before=NOON)
        assert [run.run_id for run in past] == ["r1", "r3", "r4", "r5", "r6"]
        assert expected_rto(past) == 40
        assert step_time("step0", "newyork", 1, 2, past).usual_seconds == 6.0

    def test_what_the_newest_drill_forecast_is_to_be_expected_and_the_fence_is_known_by_cutovers(self) -> None:
        cutover, drill, older = self.runs(10, 20, 30)
        forecasts = [
            Forecast(airflow_seconds=2, fence_seconds=fence, stop_seconds=3, steps_seconds=7) for fence in (0.5, 9)
        ]
        drills = [
            run.model_copy(update={"mode": "drill", "forecast": forecast})
            for run, forecast in zip((drill, older), forecasts, strict=True)
        ]
        past = newest_runs([cutover, *drills], run_id="now", before=NOON)
        assert [run.forecast_seconds for run in past] == [None, 12.5, 21.0]
        assert expected_rto(past) == 12.5
        assert [run.run_id for run in newest_cutovers([cutover, *drills], before=NOON)] == ["r1"]
        assert newest_cutovers([cutover, *drills], before=NOON - timedelta(days=1)) == ()

    def test_neither_the_run_itself_nor_a_later_one_does(self) -> None:
        past = newest_runs(self.runs(10, 20), run_id="r1", before=NOON - timedelta(days=1))
        assert [run.run_id for run in past] == ["r2"]
        assert newest_runs(self.runs(10), run_id="now", before=NOON - timedelta(days=2)) == ()

    def test_without_a_past_nothing_is_usual(self) -> None:
        assert expected_rto(()) is None
        assert step_time("fence", "berlin", 1, 2, ()).usual_seconds is None

    def test_a_report_of_another_release_can_still_be_read(self) -> None:
        document = report((0, 1)).model_dump(mode="json")
        del document["expected_rto_seconds"], document["past"]
        assert Report.model_validate({**document, "what_comes_next_year": 1}) == report((0, 1))


class TestPicture:
    def test_bars_stand_where_the_steps_were(self) -> None:
        bars = elements(report((0, 50), (75, 100)), "rect", "bar")
        inner = WIDTH - LEFT - RIGHT
        assert [(float(bar.get("x", "")), float(bar.get("width", ""))) for bar in bars] == [
            (LEFT, inner * 0.5),
            (LEFT + inner * 0.75, inner * 0.25),
        ]
        (waited,) = elements(report((0, 50), (75, 100)), "line", "wait")
        assert (float(waited.get("x1", "")), float(waited.get("x2", ""))) == (LEFT + inner * 0.5, LEFT + inner * 0.75)

    def test_steps_that_overlap_wait_for_nothing(self) -> None:
        assert elements(report((0, 50), (20, 40), (50, 60)), "line", "wait") == []

    def test_tries_that_failed_are_crosses_in_their_row(self) -> None:
        tries = [FailedTry(step="step1", after_seconds=12, reason="no <quorum>")]
        (cross,) = elements(report((0, 10), (15, 20), failed_tries=tries), "path", "failed")
        assert [title.text for title in cross] == ["a try failed: no <quorum>"]

    @pytest.mark.parametrize(("objective", "drawn"), [(90, 1), (120, 1), (900, 0)])
    def test_an_objective_far_away_does_not_press_the_steps_together(self, objective: float, drawn: int) -> None:
        shown = report((0, 100), rto_seconds=100, rto_objective_seconds=objective)
        assert len(elements(shown, "line", "objective")) == drawn
        assert len(elements(shown, "line", "verified")) == 1

    @given(
        name=st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20),
        spans=st.lists(st.tuples(st.floats(-10, 1e6), st.floats(0, 1e6)), max_size=6),
    )
    def test_whatever_was_recorded_is_a_picture_whose_parts_lie_within(
        self, name: str, spans: list[tuple[float, float]]
    ) -> None:
        steps = [StepTime(name=name, site=name, seconds=abs(took), done_after_seconds=done) for done, took in spans]
        for bar in elements(report(steps=steps), "rect", "bar"):
            assert LEFT <= float(bar.get("x", "")) <= WIDTH - RIGHT

    @given(st.floats(0.1, 1e6))
    def test_the_scale_has_few_marks(self, seconds: float) -> None:
        assert seconds / tick_seconds(seconds) <= 12

    @pytest.mark.parametrize(
        ("seconds", "told"), [(0, "0 s"), (59.9, "59.9 s"), (60, "1:00 min"), (3599, "59:59 min"), (7260, "2:01 h")]
    )
    def test_times_are_short(self, seconds: float, told: str) -> None:
        assert short_time(seconds) == told
