"""Cutovers on two real sites, step by step as the tasks take them, without Airflow."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from incorta_provider.dr.approval import APPROVE, REJECT, Approval
from incorta_provider.dr.epoch import RoleState
from incorta_provider.dr.plan import StepName
from incorta_provider.exceptions import ApprovalError, DrError, FencingError, PreconditionError, TransientError
from incorta_provider.steps.cutover.apply import apply
from incorta_provider.steps.cutover.approve import seal_approval
from incorta_provider.steps.cutover.compare import compare
from incorta_provider.steps.cutover.fence import fence
from incorta_provider.steps.cutover.promote import promote
from incorta_provider.steps.cutover.restore import restore
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.cutover.start import start_loader, start_nodes
from incorta_provider.steps.cutover.stop_target import stop_target
from incorta_provider.steps.cutover.verify import verify_service
from incorta_provider.steps.metadata_diff import diff_with_point
from incorta_provider.steps.readiness import Part
from incorta_provider.steps.replication.open import open_run
from incorta_provider.steps.replication.seal import seal
from incorta_provider.steps.running import running
from incorta_provider.storage.records.rewritings import Rewritings
from lab.incorta.checker import check as check_commits
from lab.incorta.database import connect
from lab.incorta.home import Home
from lab.incorta.install import install
from lab.incorta.site import start_site, stop_site
from lab.incorta.status import read_status
from lab.layout import DR, PRIMARY
from lab.ours.loop import lab_run
from lab.processes import send, wait_until_gone
from lab.up import kill_site, up
from lab.workload.dataset import SCHEMAS
from tests.scenarios.acts import (
    DATA_STEPS,
    READY_SECONDS,
    STARTS,
    approve,
    cutover,
    events,
    request,
    role,
    wait_until_ready,
)

pytestmark = [pytest.mark.lab, pytest.mark.scenario, pytest.mark.timeout(600)]


@pytest.fixture
def dead_primary(with_point) -> Iterator[object]:
    """Kill the primary site; bring its servers back afterwards."""
    kill_site(with_point.lab, PRIMARY, print)
    yield with_point
    stop_site(with_point.lab.site(DR))
    up(with_point.lab, print)


def ensure_only_values_of_the_site_differ(stage, run: CutoverRun) -> None:
    """Between restore and start the site is the point, but for what was rewritten."""
    result = run.folder.result(StepName.REWRITE)
    assert result is not None
    done = Rewritings(run.target.catalog).get(result["rewrite_sha256"])
    assert {change.place for change in done.changes} == {"`TENANT`.`PATH`", "`SERVER_CONFIG`.`VALUE`"}
    assert result["changed_values"] == len(done.changes)
    assert result["scanned_files"] > 0
    point, found = diff_with_point(run.target, None)
    assert point == run.folder.plan().recovery_point
    rows = [difference for difference in found if difference.what.startswith("row ")]
    assert {difference.object for difference in found} == {"table `SERVER_CONFIG`", "table `TENANT`"}
    assert len(rows) == len(done.changes)


def ensure_a_loader_that_dies_is_found_and_started_again(stage, run: CutoverRun) -> None:
    """It was ready, and is gone when the service is verified: the task says which, and clearing its start mends it."""
    status = read_status(Home(stage.lab.site(DR).node(2).home), "loaderService")
    send(status.process, signal.SIGKILL)
    assert wait_until_gone([status.process], 10) == []
    with pytest.raises(TransientError, match="not every part is ready: loader: loaderService"):
        verify_service(run)
    assert StepName.VERIFY not in run.folder.done()
    start_loader(replace(run, clear_number=1))
    wait_until_ready(run, Part.LOADER)


def test_a_dead_primary_is_replaced_and_the_report_says_what_was_lost(dead_primary) -> None:
    stage = dead_primary
    run = cutover(stage)
    plan = request(stage, run)
    assert (plan.source, plan.target, plan.epoch) == (PRIMARY, DR, 1)
    approve(stage, run)
    for step in DATA_STEPS:
        step(run)
    ensure_only_values_of_the_site_differ(stage, run)
    for start, part in STARTS:
        start(run)
        wait_until_ready(run, part)
    ensure_a_loader_that_dies_is_found_and_started_again(stage, run)
    verify_service(run)
    report = promote(run)

    assert report["unfenced"] is True
    assert sorted(report["fence"]["not_reached"]) == [
        "database",
        "epoch registry",
        "services of berlin_node1",
        "services of berlin_node2",
    ]
    assert report["storage"]["equal"] is True
    assert report["metadata"]["equal"] is True
    assert report["approved_by"] == "omar"
    assert [step["name"] for step in report["steps"]] == [str(step.name) for step in plan.steps]
    assert 0 < report["rto_seconds"] < READY_SECONDS * 2
    with closing(connect(stage.dr.database)) as session:
        verdict = check_commits(session, stage.dr.storage, stage.lab.workload)
    assert verdict.commits_restored == (1, 2)
    assert verdict.lost == (3,)
    assert verdict.commits_half == ()
    assert (role(stage).epoch, role(stage).active, role(stage).state) == (2, DR, RoleState.STEADY)
    assert stage.access.site(DR).ledger.faults() == []
    assert events(stage)[-1] == "cutover.done"
    assert promote(run) == report


def test_a_primary_that_can_be_reached_is_fenced_whole(with_point) -> None:
    stage = with_point
    run = cutover(stage)
    request(stage, run)
    approve(stage, run)
    result = fence(run)

    assert result["unfenced"] is False
    assert result["not_reached"] == {}
    assert role(stage, PRIMARY) == role(stage, DR)
    assert (role(stage).epoch, role(stage).active, role(stage).fenced) == (2, DR, PRIMARY)
    assert fence(run) == result


def test_after_the_fence_replication_can_neither_seal_nor_open(with_point) -> None:
    stage = with_point
    late = lab_run(stage.access, "late")
    open_run(late)
    run = cutover(stage)
    request(stage, run)
    approve(stage, run)
    fence(run)

    with pytest.raises(FencingError):
        seal(late)
    with pytest.raises(FencingError, match=r"newyork is active \(epoch 2, promoting\)"):
        open_run(lab_run(stage.access, "later"))
    assert "lock.taken_over" in events(stage)
    assert len(stage.access.site(DR).catalog.points()) == 1


def test_what_is_no_approval_of_a_second_person_opens_nothing(with_point) -> None:
    stage = with_point
    for number, (by, answer, reason) in enumerate(
        (
            ("hana", APPROVE, "must not approve"),
            ("HANA ", APPROVE, "must not approve"),
            (None, REJECT, "silence is a refusal"),
            (None, APPROVE, "silence is a refusal"),
            ("omar", REJECT, "answered Reject"),
        )
    ):
        run = cutover(stage, f"manual__{number}")
        request(stage, run)
        with pytest.raises(ApprovalError, match=reason):
            approve(stage, run, by=by, answer=answer)
        with pytest.raises(ApprovalError, match="nobody approved"):
            fence(run)
        assert role(stage).epoch == 1
        told = [entry.event for entry in stage.access.site(DR).ledger.recent(1000) if entry.run_id == run.run_id]
        assert ("cutover.timed_out" if by is None else "cutover.refused") in told
        assert "cutover.approved" not in told


def test_a_forged_a_foreign_and_an_expired_approval_open_nothing(with_point) -> None:
    stage = with_point
    run = cutover(stage)
    request(stage, run)
    good = approve(stage, run)
    forged = good.model_copy(update={"approved_by": "mallory"})
    foreign = approve_other(stage)
    hour = timedelta(hours=1)
    old = seal_approval(run, answered_by="omar", chosen=[APPROVE], answered_at=stage.access.clock() - 2 * hour)
    for approval, reason in ((forged, "signature"), (foreign, "is for run manual__2"), (old, "expired")):
        run.folder.save_approval(approval)
        with pytest.raises(ApprovalError, match=reason):
            fence(run)
        assert role(stage).epoch == 1


def approve_other(stage) -> Approval:
    other = cutover(stage, "manual__2")
    request(stage, other)
    return approve(stage, other)


def test_no_step_runs_before_its_turn_whatever_was_marked_as_success(with_point) -> None:
    stage = with_point
    run = cutover(stage)
    with pytest.raises(PreconditionError, match="no plan was frozen"):
        fence(run)
    request(stage, run)
    approve(stage, run)
    for step in (apply, restore, compare, start_nodes, verify_service, promote):
        with pytest.raises(PreconditionError, match="must not run: fence is not done"):
            step(run)
    assert role(stage).epoch == 1


def test_a_request_that_is_not_in_order_is_refused_before_anything_changes(with_point) -> None:
    stage = with_point
    run = cutover(stage)
    for changes, reason in (
        ({"confirmation": "promote newyork"}, "the confirmation must read 'PROMOTE newyork'"),
        ({"confirmation": ""}, "the confirmation must read 'PROMOTE newyork'"),
        ({"reason": "  "}, "a reason is missing"),
        ({"requested_by": ""}, "not known who triggered"),
        ({"recovery_point": "20200101T000000Z-00000000"}, "20200101T000000Z-00000000"),
        ({"target": PRIMARY, "confirmation": f"PROMOTE {PRIMARY}"}, "is the active site already"),
        ({"requested_at": stage.access.clock() - timedelta(minutes=20)}, "waited 20 minutes"),
    ):
        with pytest.raises(PreconditionError, match=reason):
            request(stage, run, **changes)
        assert not run.folder.has_plan()
        assert role(stage).epoch == 1


def test_without_a_recovery_point_there_is_no_cutover(stage) -> None:
    run = cutover(stage)
    with pytest.raises(PreconditionError, match="no recovery point"):
        request(stage, run)
    assert role(stage).epoch == 1


def test_a_cutover_that_was_left_half_done_is_taken_up_by_a_new_one(with_point) -> None:
    stage = with_point
    first, second = cutover(stage, "manual__1"), cutover(stage, "manual__2")
    request(stage, first)
    approve(stage, first)
    fence(first)
    plan = request(stage, second)
    assert (plan.source, plan.epoch) == (PRIMARY, 2)
    approve(stage, second)
    fence(second)
    with pytest.raises(FencingError, match="manual__1 is not the one that promotes"):
        stop_target(first)
    stop_target(second)
    apply(second)
    assert role(stage).epoch == 3


def test_a_worker_that_is_killed_again_and_again_ends_in_the_same_state(with_point) -> None:
    stage = with_point
    run = cutover(stage)
    request(stage, run)
    approve(stage, run)
    chance = random.Random(5)
    context = multiprocessing.get_context("fork")
    kills = 0
    for number in range(20):
        worker = context.Process(target=do_data_steps, args=(run,))
        worker.start()
        worker.join(chance.uniform(0.02, 0.1 * 1.5**number))  # short on a fast machine, long enough on a busy one
        if worker.is_alive():
            os.kill(worker.pid, signal.SIGKILL)  # type: ignore[arg-type]
            kills += 1
            worker.join()
        elif worker.exitcode == 0:
            break
    assert kills > 1
    assert StepName.COMPARE in run.folder.done()
    assert run.folder.result(StepName.COMPARE)["equal"] is True
    with closing(connect(stage.dr.database)) as session:
        assert check_commits(session, stage.dr.storage, stage.lab.workload).commits_restored == (1, 2)
    assert stage.access.site(DR).ledger.faults() == []


def do_data_steps(run: CutoverRun) -> None:
    for step in DATA_STEPS:
        step(run)


def test_what_runs_at_the_target_is_told_before_the_approval_and_stopped_before_its_data_are_replaced(
    with_point,
) -> None:
    stage = with_point
    install(stage.dr, SCHEMAS)
    site = stage.lab.site(DR)
    start_site(site)
    try:
        run = cutover(stage)
        plan = request(stage, run)
        (step,) = [step for step in plan.steps if step.name is StepName.STOP_TARGET]
        assert r"loader of newyork\_node1 runs now" in step.actions
        approve(stage, run)
        fence(run)
        with pytest.raises(PreconditionError, match="stop_target is not done"):
            apply(run)
        result = stop_target(run)
        assert len(result["found_running"]) == 7
        assert running(run.target) == []
        apply(run)
        assert stop_target(replace(run, clear_number=1))["found_running"] == []
    finally:
        stop_site(site)


def test_damage_between_choice_and_apply_is_found(with_point) -> None:
    stage = with_point
    catalog = stage.access.site(DR).catalog
    point = catalog.newest()
    dump = catalog.dump_path(point.id)
    dump.chmod(0o600)
    dump.write_bytes(dump.read_bytes()[:-1])
    with pytest.raises(DrError, match="is not the file that was sealed"):
        request(stage, cutover(stage))
    assert role(stage).epoch == 1


def test_a_secret_never_reaches_the_ledger_or_the_report(with_point) -> None:
    stage = with_point
    run = cutover(stage)
    request(stage, run)
    approve(stage, run)
    for step in DATA_STEPS:
        step(run)
    written = "".join(path.read_text() for path in stage.access.site(DR).catalog.root.rglob("*.json*"))
    connections = json.loads(stage.lab.connections_file.read_text())
    for fields in connections.values():
        with suppress(KeyError):
            assert not fields["password"] or fields["password"] not in written
