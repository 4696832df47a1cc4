from __future__ import annotations

import pytest

from lab.airflow.client import Task
from tests.benchmarks.rpo import Sealed, ages, missed_bar, percentile
from tests.benchmarks.rpo_phases import end_of, medians, run_time


def sealed(name: str, opened_at: float, seen_at: float) -> Sealed:
    return Sealed(name, f"run of {name}", opened_at, seen_at)


def test_the_age_counts_from_the_start_of_the_sync_and_is_highest_right_before_the_next_seal() -> None:
    points = [sealed("A", 100, 110), sealed("B", 112, 119.5)]
    assert ages(points, 117, 121) == [17, 18, 19, 19.5, 8, 9]


def test_a_run_that_makes_no_point_makes_the_last_one_older() -> None:
    assert ages([sealed("A", 100, 110)], 200, 202) == [100, 101, 102]


def test_a_point_that_was_there_before_counts_as_it_is() -> None:
    assert ages([sealed("A", 100, 150)], 150, 151) == [50, 51]


@pytest.mark.parametrize(("share", "expected"), [(0.5, 2), (0.95, 4), (0.0, 1), (1.0, 4)])
def test_a_percentile_is_one_of_the_values(share: float, expected: float) -> None:
    assert percentile([4, 1, 3, 2], share) == expected


@pytest.mark.parametrize(
    ("p95", "points", "failed", "faults"),
    [
        (25.2, 79, 0, []),
        (59.9, 1, 0, []),
        (60.0, 79, 0, ["95 % of the time the RPO was up to 60.0 s, and is to be below 60 s"]),
        (25.2, 79, 1, ["points were missed: 79 made, 1 run(s) failed"]),
        (25.2, 0, 0, ["points were missed: 0 made, 0 run(s) failed"]),
    ],
)
def test_a_measurement_is_held_against_its_bar(p95: float, points: int, failed: int, faults: list[str]) -> None:
    assert missed_bar({"p95_s": p95, "points": points, "failed_runs": failed}, 60.0) == faults


def task(name: str, second: int, duration: float | None) -> Task:
    return Task(name, -1, "success", 1, duration, f"2026-11-28T12:00:{second:02d}+00:00")


def test_a_run_is_split_into_the_scheduler_the_start_of_tasks_and_the_steps() -> None:
    tasks = [task("seal", 16, 4.0), task("open", 10, 5.0), task("release", 22, None)]
    before = end_of([task("release", 3, 2.0)])
    found = run_time(tasks, {"open": 2.0, "seal": 1.0}, before)
    assert (found.wait, found.start) == (5 + 1, 9 - 3)
    assert medians([found]) == {"scheduler": 6, "task start": 6, "open": 2, "seal": 1}


def test_the_first_run_waits_for_nobody() -> None:
    assert run_time([task("replicate", 10, 5.0)], {}, None).wait == 0
