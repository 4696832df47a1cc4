"""A worker that dies in every step of the plan, at each of its moments; another one goes on and nothing is lost.

Each moment of a step is tried once, in one cutover, by a worker that is killed there with SIGKILL.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from incorta_provider.dr.epoch import RoleState
from incorta_provider.dr.plan import Mode, StepName
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.cutover.take_steps import STEPS, take_steps
from lab.incorta.checker import check as check_commits
from lab.incorta.database import connect
from lab.incorta.site import start_site, stop_site
from lab.layout import DR, PRIMARY
from tests.builders.deaths import MOMENTS, Deaths, worker_died
from tests.chaos.tally import Tallies
from tests.scenarios.acts import approve, cutover, request, role

pytestmark = [pytest.mark.lab, pytest.mark.scenario, pytest.mark.chaos, pytest.mark.timeout(1800)]


@pytest.fixture
def live(with_point) -> Iterator[object]:
    start_site(with_point.lab.site(PRIMARY))
    yield with_point
    for name in (PRIMARY, DR):
        stop_site(with_point.lab.site(name))


def work(run: CutoverRun) -> None:
    """Do what the tasks of the DAG do: one takes the steps, one for each step confirms it."""
    left = take_steps(run)["left"]
    assert not left, left
    for step in run.folder.plan().steps:
        STEPS[step.name](run)


def until_nobody_dies(run: CutoverRun, deaths: Deaths) -> None:
    for _ in range(len(StepName) * len(MOMENTS) + 1):
        if not worker_died(lambda: work(run), deaths):
            return
    raise AssertionError(f"workers died {len(deaths.all())} times")


@pytest.mark.parametrize("mode", [Mode.PLANNED, Mode.UNPLANNED])
def test_in_every_step_and_at_each_of_its_moments(live, tmp_path: Path, mode: Mode) -> None:
    stage, tallies = live, Tallies()
    run = cutover(stage)
    plan = request(stage, run, mode=mode, accept_unfenced=False)
    approve(stage, run)
    deaths = Deaths(tmp_path / "deaths")
    until_nobody_dies(run, deaths)

    expected = {(str(step.name), moment) for step in plan.steps for moment in MOMENTS}
    assert set(deaths.all()) == expected
    with ExitStack() as points:
        for step, moment in deaths.all():
            points.enter_context(tallies.of(f"cutover {mode}").point(step, moment))
        ensure_whole(stage, run, lost=() if mode.loses_nothing else (3,))
    tallies.save()


def ensure_whole(stage, run: CutoverRun, *, lost: tuple[int, ...]) -> None:
    now = role(stage)
    assert (now.epoch, now.active, now.state, now.run_id) == (2, DR, RoleState.STEADY, run.run_id)
    with closing(connect(stage.dr.database)) as session:
        verdict = check_commits(session, stage.dr.storage, stage.lab.workload)
    assert (verdict.lost, verdict.commits_half) == (lost, ())
    ledger = stage.access.site(DR).ledger
    assert ledger.faults() == []
    told = [entry.details["step"] for entry in ledger.entries() if entry.event == "cutover.step.done"]
    assert set(told) == {str(step.name) for step in run.folder.plan().steps}
    assert run.folder.report()["outcome"] == "promoted"  # type: ignore[index]
