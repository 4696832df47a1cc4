"""Clocks that are ten minutes apart: workers of one cutover, and Airflow's API server, which stamps the approval."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from incorta_provider.dr.approval import APPROVE
from incorta_provider.dr.plan import StepName
from incorta_provider.dr.request import ensure_acceptable
from incorta_provider.steps.cutover.approve import plan_to_approve, seal_approval, used_approval
from incorta_provider.steps.cutover.fence import fence
from incorta_provider.steps.cutover.report import make_report
from incorta_provider.steps.cutover.run import CutoverRun
from tests.builders.group import NOON, Bench, cutover_request, cutover_run, frozen_plan

TEN_MINUTES = timedelta(minutes=10)


def elsewhere(bench: Bench, run: CutoverRun, apart: timedelta) -> CutoverRun:
    """Return the run as a worker with another clock has it."""
    return replace(run, access=replace(run.access, clock=lambda: bench.clock() + apart))


@pytest.mark.parametrize("apart", [TEN_MINUTES, -TEN_MINUTES])
def test_a_worker_with_another_clock_goes_on_with_what_the_first_one_froze(bench: Bench, apart: timedelta) -> None:
    here = cutover_run(bench)
    there = elsewhere(bench, here, apart)
    plan = frozen_plan(bench, here)
    assert plan_to_approve(there) == plan
    seal_approval(there, answered_by="omar", chosen=[APPROVE], answered_at=bench.clock())
    assert fence(there)["epoch"] == 2
    assert fence(here)["epoch"] == 2, "done, also by the clock of the first"


@pytest.mark.parametrize("apart", [TEN_MINUTES, -TEN_MINUTES])
def test_the_rto_is_never_too_short_by_the_clock_of_who_stamped_the_approval(bench: Bench, apart: timedelta) -> None:
    run = cutover_run(bench)
    plan = frozen_plan(bench, run)
    seal_approval(run, answered_by="omar", chosen=[APPROVE], answered_at=bench.clock() + apart)
    fence(run)
    verified_at = bench.clock.go_on(60)
    run.folder.record(StepName.VERIFY, {"finished_at": verified_at.isoformat(), "seconds": 1.0, "ready": ["cmc"]})
    report = make_report(run, plan, used_approval(run, plan))
    assert report.rto_seconds is not None
    told = [line for line in report.exceptions if "clock of Airflow's API server" in line]
    if apart > timedelta(0):
        assert (report.rto_seconds, len(told)) == (60.0, 1)
    else:
        assert (report.rto_seconds, told) == (660.0, [])


@pytest.mark.parametrize("apart", [TEN_MINUTES, -TEN_MINUTES])
def test_a_run_did_not_wait_in_the_queue_for_the_difference(apart: timedelta) -> None:
    ensure_acceptable(cutover_request(requested_at=NOON + apart, created_at=NOON))
