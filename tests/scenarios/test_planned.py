"""Planned cutovers on two real sites: nothing is lost, or nothing has happened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from incorta_provider.dr.epoch import RoleState
from incorta_provider.dr.plan import Mode, StepName
from incorta_provider.exceptions import FencingError, NothingToDo, PreconditionError
from incorta_provider.steps.cutover.abort import abort
from incorta_provider.steps.cutover.fence import fence
from incorta_provider.steps.cutover.final_sync import final_sync
from incorta_provider.steps.cutover.promote import promote
from incorta_provider.steps.cutover.quiesce import quiesce
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.cutover.take_steps import take_steps
from incorta_provider.steps.cutover.verify import verify_service
from incorta_provider.steps.replication.protocol import replicate
from incorta_provider.steps.replication.run import ReplicationRun
from incorta_provider.steps.running import running
from lab.incorta.checker import check as check_commits
from lab.incorta.database import connect
from lab.incorta.site import start_site, stop_site
from lab.layout import DR, PRIMARY
from lab.ours.loop import lab_run, one_round
from tests.scenarios.acts import DATA_STEPS, STARTS, approve, cutover, events, request, role, wait_until_ready

pytestmark = [pytest.mark.lab, pytest.mark.scenario, pytest.mark.timeout(600)]


@pytest.fixture
def live(with_point) -> Iterator[object]:
    """Return the stage with Incorta running at the primary; stop it at both sites afterwards."""
    start_site(with_point.lab.site(PRIMARY))
    yield with_point
    for name in (PRIMARY, DR):
        stop_site(with_point.lab.site(name))


def asked(stage) -> CutoverRun:
    """Return a planned cutover that was approved."""
    run = cutover(stage)
    request(stage, run, mode=Mode.PLANNED, accept_unfenced=False)
    approve(stage, run)
    return run


def test_a_planned_cutover_loses_nothing(live) -> None:
    stage = live
    run = asked(stage)
    quiesced = quiesce(run)
    assert quiesced["loads"]
    assert running(stage.access.site(PRIMARY)) == []
    synced = final_sync(run)
    assert synced["recovery_point"] == run.target.catalog.newest().id != run.folder.plan().recovery_point
    for step in DATA_STEPS:
        step(run)
    for start, part in STARTS:
        start(run)
        wait_until_ready(run, part)
    verify_service(run)
    report = promote(run)
    assert (report["mode"], report["rpo_seconds"], report["unfenced"]) == ("planned", 0.0, False)
    assert report["recovery_point"] == synced["recovery_point"]
    with closing(connect(stage.dr.database)) as session:
        verdict = check_commits(session, stage.dr.storage, stage.lab.workload)
    assert verdict.commits_restored == verdict.commits_primary == (1, 2, 3)
    assert verdict.lost == ()
    assert (role(stage).epoch, role(stage).active, role(stage).state) == (2, DR, RoleState.STEADY)
    assert final_sync(run) == run.folder.result(StepName.FINAL_SYNC)


def test_given_up_behind_the_quiesce_the_primary_serves_again_and_keeps_its_role(live) -> None:
    stage = live
    run = asked(stage)
    quiesce(run)
    final_sync(run)
    done = abort(stage.access, run.run_id, by="dana")
    assert (done.role.epoch, done.role.active, done.started, done.start_left) == (2, PRIMARY, PRIMARY, "")
    assert len(running(stage.access.site(PRIMARY))) == 7
    with pytest.raises(PreconditionError, match="the cutover was given up"):
        fence(run)
    assert one_round(stage.lab).epoch == 2
    assert "cutover.source.started" in events(stage)


def test_what_is_written_behind_the_final_sync_stops_the_cutover_before_the_fence(live) -> None:
    stage = live
    run = asked(stage)
    quiesce(run)
    final_sync(run)
    stage.workload().step()
    with pytest.raises(PreconditionError, match="berlin was written to after the final sync"):
        fence(run)
    assert role(stage).epoch == 1


def test_a_cutover_takes_the_lock_and_no_replication_comes_between(live) -> None:
    stage = live
    run = asked(stage)
    quiesce(run)
    with pytest.raises(Exception, match=r"the lock is held by run manual__1"):
        one_round(stage.lab)
    late = lab_run(stage.access, "late")
    assert late.recorded() is None


def test_an_unplanned_cutover_has_no_quiesce_and_a_failback_goes_home_only(with_point) -> None:
    stage = with_point
    run = cutover(stage)
    request(stage, run)
    approve(stage, run)
    for step in (quiesce, final_sync):
        with pytest.raises(NothingToDo, match="unplanned cutover manual__1 has no step"):
            step(run)
    with pytest.raises(PreconditionError, match="a failback of acme goes to berlin, not to newyork"):
        request(stage, cutover(stage, "manual__2"), mode=Mode.FAILBACK, accept_unfenced=False)


def test_a_dead_primary_is_no_source_of_a_planned_cutover_and_stops_the_fence_of_another(with_point) -> None:
    """The services of the primary are down here, and its nodes answer: the fence is whole."""
    stage = with_point
    run = cutover(stage)
    request(stage, run, accept_unfenced=False)
    approve(stage, run)
    assert fence(run)["unfenced"] is False
    other = cutover(stage, "manual__2")
    with pytest.raises((FencingError, PreconditionError)):
        request(stage, other, mode=Mode.PLANNED, accept_unfenced=False)


@pytest.mark.chaos
def test_there_and_home_again_by_plan_and_not_one_commit_is_lost(live) -> None:
    """A planned cutover, work at the DR site, replication the other way, and a failback."""
    stage = live
    there = asked(stage)
    assert take_steps(there)["left"] == ""
    away = stage.workload(stage.dr)
    away.step()
    away.step()
    replicate(ReplicationRun(stage.access, stage.access.site(PRIMARY), "to berlin 1", "dag to berlin"))
    away.step()
    home = cutover(stage, "home", PRIMARY)
    request(stage, home, mode=Mode.FAILBACK, accept_unfenced=False)
    approve(stage, home)
    assert take_steps(home)["left"] == ""
    with closing(connect(stage.primary.database)) as session:
        verdict = check_commits(session, stage.primary.storage, stage.lab.workload)
    assert verdict.commits_restored == verdict.commits_primary == (1, 2, 3, 4, 5, 6)
    assert (verdict.lost, verdict.commits_half) == ((), ())
    assert (role(stage, PRIMARY).epoch, role(stage, PRIMARY).active, role(stage, PRIMARY).fenced) == (3, PRIMARY, DR)
    assert home.folder.report()["rpo_seconds"] == 0.0
