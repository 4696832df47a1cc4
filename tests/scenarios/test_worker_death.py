"""A worker that dies in every step of the plan, at each of its moments; another one goes on and nothing is lost.

A step has four moments: before it touches anything, behind its work and before its record, behind its record, and
behind its line in the ledger. Each is tried once, in one cutover, by a worker that is killed there with SIGKILL.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.epoch import RoleState
from incorta_provider.dr.plan import Mode, StepName
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.cutover.take_steps import STEPS, take_steps
from incorta_provider.storage.cutover_folder import CutoverFolder
from lab.incorta.checker import check as check_commits
from lab.incorta.database import connect
from lab.incorta.site import start_site, stop_site
from lab.layout import DR, PRIMARY
from tests.chaos.tally import Tallies
from tests.scenarios.acts import approve, cutover, request, role

pytestmark = [pytest.mark.lab, pytest.mark.scenario, pytest.mark.chaos, pytest.mark.timeout(1800)]

MOMENTS = ("started", "worked", "recorded", "told")
WORKER_SECONDS = 300


@pytest.fixture
def live(with_point) -> Iterator[object]:
    start_site(with_point.lab.site(PRIMARY))
    yield with_point
    for name in (PRIMARY, DR):
        stop_site(with_point.lab.site(name))


class Deaths:
    """The moments at which a worker died already; a file, because it outlives the worker."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch()

    def all(self) -> list[list[str]]:
        return [json.loads(line) for line in self._path.read_text().splitlines()]

    def die_once(self, step: str, moment: str) -> None:
        """End the process as a machine does that loses its power, unless it did so here before."""
        if [step, moment] in self.all():
            return
        with self._path.open("a") as file:
            file.write(json.dumps([step, moment]) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.kill(os.getpid(), signal.SIGKILL)


def mortal(deaths: Deaths) -> None:
    """Make this process die at each moment that nobody died at."""
    note, record = CutoverRun.note, CutoverFolder.record

    def noting(self: CutoverRun, event: str, key: str, details: Mapping[str, Any], *, actor: str = "") -> None:
        note(self, event, key, details, actor=actor)
        if event in {"cutover.step.started", "cutover.step.done"}:
            deaths.die_once(str(details["step"]), "started" if event.endswith("started") else "told")

    def recording(self: CutoverFolder, step: StepName, result: Mapping[str, Any]) -> None:
        deaths.die_once(str(step), "worked")
        record(self, step, result)
        deaths.die_once(str(step), "recorded")

    CutoverRun.note, CutoverFolder.record = noting, recording  # type: ignore[method-assign]


def work(run: CutoverRun, deaths: Deaths) -> None:
    """Do what the tasks of the DAG do: one takes the steps, one for each step confirms it."""
    mortal(deaths)
    left = take_steps(run)["left"]
    assert not left, left
    for step in run.folder.plan().steps:
        STEPS[step.name](run)


def until_nobody_dies(run: CutoverRun, deaths: Deaths) -> None:
    context = multiprocessing.get_context("fork")
    for _ in range(len(StepName) * len(MOMENTS) + 1):
        worker = context.Process(target=work, args=(run, deaths))
        worker.start()
        worker.join(WORKER_SECONDS)
        if worker.exitcode == 0:
            return
        assert worker.exitcode == -signal.SIGKILL, "a worker that nobody killed must end well"
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
    assert {(step, moment) for step, moment in deaths.all()} == expected
    with tallies.of(f"cutover {mode}").point():
        ensure_whole(stage, run, lost=() if mode.loses_nothing else (3,))
    tallies.of(f"cutover {mode}").points = len(expected)
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
