from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from incorta_provider.dr.approval import APPROVE, Approval, ApprovalUse
from incorta_provider.dr.epoch import Role, RoleState
from incorta_provider.dr.plan import StepName
from incorta_provider.exceptions import (
    ApprovalError,
    ConfigurationError,
    FencingError,
    PreconditionError,
    TransientError,
)
from incorta_provider.steps import running
from incorta_provider.steps.cutover.abort import abort
from incorta_provider.steps.cutover.approve import approval_to_use, seal_approval
from incorta_provider.steps.cutover.fence import fence
from incorta_provider.steps.cutover.run import CutoverRun
from tests.builders.group import NOON, Bench, Node, cleared, cutover_run, frozen_plan, owner, promoting

REACHED = ["epoch registry", "services of berlin_node1", "services of berlin_node2"]


def approved(bench: Bench, run: CutoverRun) -> Approval:
    frozen_plan(bench, run)
    return seal_approval(run, answered_by="omar", chosen=[APPROVE], answered_at=bench.clock.now)


def ahead(**changes: object) -> Role:
    """Return what the source's own registry might say after a cutover that the target was not told of."""
    role = Role(
        group="acme", epoch=5, active="berlin", fenced="newyork", changed_by="omar", run_id="m4", changed_at=NOON
    )
    return role.model_copy(update=changes)


def test_the_epoch_is_raised_at_both_sites_and_the_source_is_stopped(bench: Bench) -> None:
    run = cutover_run(bench)
    approved(bench, run)
    result = fence(run)
    assert {name: result[name] for name in ("epoch", "stopped", "not_reached", "not_told", "unfenced")} == {
        "epoch": 2,
        "stopped": REACHED,
        "not_reached": {},
        "not_told": {},
        "unfenced": False,
    }
    role = bench.ensembles.role("newyork")
    assert (role.epoch, role.active, role.state, role.fenced) == (2, "newyork", RoleState.PROMOTING, "berlin")
    assert (role.changed_by, role.run_id) == ("hana", "manual__1")
    assert bench.ensembles.role("berlin") == role
    holder = bench.ensembles.lock("newyork").holder()
    assert holder is not None
    assert (holder.run_id, holder.purpose) == ("manual__1", "cutover")


def test_services_stop_before_what_they_rest_on_and_the_target_is_left_alone(bench: Bench) -> None:
    bench.nodes.agents_run("berlin_node1", "berlin_node2")
    run = cutover_run(bench)
    approved(bench, run)
    fence(run)
    *together, last = bench.nodes.told("berlin_node1")
    assert (sorted(together), last) == (["stop analyticsService", "stop cmc", "stop loaderService"], "stop node")
    assert bench.nodes.told("berlin_node2") == ["stop loaderService", "stop node"]
    assert {key for _, _, key in bench.nodes.calls} == {"manual__1 fence"}
    assert not any(name.startswith("newyork") for name, _, _ in bench.nodes.calls)


def test_what_cannot_be_reached_is_told_and_the_rest_is_stopped(bench: Bench) -> None:
    bench.nodes.down.add("berlin_node1")
    bench.ensembles.down.add("berlin_zookeeper")
    run = cutover_run(bench)
    approved(bench, run)
    result = fence(run)
    assert result["unfenced"] is True
    assert result["stopped"] == ["services of berlin_node2"]
    assert list(result["not_reached"]) == ["epoch registry", "services of berlin_node1"]
    assert result["not_reached"]["services of berlin_node1"] == "the node cannot be reached"
    assert sorted(bench.nodes.told("berlin_node2")) == ["stop loaderService", "stop node"]
    assert bench.ensembles.role("newyork").epoch == 2
    assert bench.ensembles.role("berlin").epoch == 1


def test_a_port_that_is_written_wrongly_leaves_nothing_running(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object) -> None:
        raise ConfigurationError("agent_port x is no port", where="connection berlin_node1", fix="Correct it.")

    run = cutover_run(bench)
    approved(bench, run)
    monkeypatch.setattr(running, "port_state", wrong)
    assert fence(run)["unfenced"] is False
    assert bench.nodes.told("berlin_node2") == ["stop loaderService", "stop node"], "the agent last"


def test_a_fence_that_is_done_is_not_done_again(bench: Bench) -> None:
    run = cutover_run(bench)
    approved(bench, run)
    first = fence(run)
    calls = len(bench.nodes.calls)
    assert fence(cutover_run(bench)) == first
    assert len(bench.nodes.calls) == calls


def test_without_an_approval_nothing_is_touched(bench: Bench) -> None:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    with pytest.raises(ApprovalError, match="nobody approved"):
        fence(run)
    assert bench.ensembles.role("newyork").epoch == 1
    assert bench.ensembles.lock("newyork").holder() is None
    assert bench.nodes.calls == []


def test_an_approval_that_is_too_old_opens_nothing(bench: Bench) -> None:
    run = cutover_run(bench)
    approved(bench, run)
    bench.clock.go_on(3601)
    with pytest.raises(ApprovalError, match="the approval expired at 2026-11-25 13:00:00 UTC"):
        fence(run)
    assert bench.ensembles.role("newyork").epoch == 1
    assert bench.nodes.calls == []


def test_a_fence_that_had_begun_may_finish_after_the_approval_expired(bench: Bench) -> None:
    """It died right behind the new epoch: the lock of a dead run and a stopped half must never block for ever."""
    run = cutover_run(bench)
    approval_to_use(run, frozen_plan(bench, run), approved(bench, run).approved_at)
    promoting(bench, "manual__1")
    bench.clock.go_on(7200)
    result = fence(run)
    assert (result["epoch"], result["unfenced"]) == (2, False)
    assert bench.ensembles.role("berlin").epoch == 2


def test_a_plan_of_another_epoch_is_stale(bench: Bench) -> None:
    run = cutover_run(bench)
    approved(bench, run)
    bench.ensembles.set_role("newyork", bench.ensembles.role("newyork").model_copy(update={"epoch": 3}))
    with pytest.raises(FencingError, match="the plan was made under epoch 1, now it is 3"):
        fence(run)
    assert bench.ensembles.role("newyork").epoch == 3
    assert bench.nodes.calls == []


def test_of_two_plans_for_the_same_epoch_the_second_is_stale(bench: Bench) -> None:
    first, second = cutover_run(bench, "manual__1"), cutover_run(bench, "manual__2")
    approved(bench, first)
    approved(bench, second)
    fence(first)
    with pytest.raises(FencingError, match="the plan was made under epoch 1, now it is 2"):
        fence(second)
    assert bench.ensembles.role("newyork").run_id == "manual__1"


def test_a_registry_without_a_role_forbids_the_fence(bench: Bench) -> None:
    run = cutover_run(bench)
    approved(bench, run)
    bench.ensembles.session("newyork").nodes.clear()
    with pytest.raises(PreconditionError, match="the epoch registry is empty"):
        fence(run)
    assert bench.nodes.calls == []


def test_a_target_that_does_not_answer_is_tried_again(bench: Bench) -> None:
    run = cutover_run(bench)
    approved(bench, run)
    bench.ensembles.down.add("newyork_zookeeper")
    with pytest.raises(TransientError):
        fence(run)
    assert bench.nodes.calls == []
    bench.ensembles.down.clear()
    assert fence(run)["epoch"] == 2


@pytest.mark.parametrize("purpose", ["replication", "cutover"])
def test_the_lock_is_taken_from_whoever_holds_it_and_a_line_says_from_whom(bench: Bench, purpose: str) -> None:
    bench.ensembles.lock("newyork").acquire(owner("scheduled__9", purpose=purpose))
    run = cutover_run(bench)
    approved(bench, run)
    fence(run)
    holder = bench.ensembles.lock("newyork").holder()
    assert holder is not None
    assert holder.run_id == "manual__1"
    assert bench.last("lock.taken_over")["from_run"] == "scheduled__9"
    assert bench.events().count("lock.taken_over") == 1


def test_a_source_without_a_role_of_its_own_is_told_the_new_one(bench: Bench) -> None:
    bench.ensembles.session("berlin").nodes.clear()
    run = cutover_run(bench)
    approved(bench, run)
    assert fence(run)["unfenced"] is False
    assert bench.ensembles.role("berlin") == bench.ensembles.role("newyork")


@pytest.mark.parametrize("epoch", [2, 3, 5])
def test_a_source_that_is_ahead_is_left_alone_and_stops_the_cutover_whatever_was_accepted(
    bench: Bench, epoch: int
) -> None:
    """Somebody promoted it meanwhile: it may write, whatever this cutover wishes."""
    run = cutover_run(bench)
    approved(bench, run)
    assert run.folder.plan().accept_unfenced is True
    bench.ensembles.set_role("berlin", ahead(epoch=epoch))
    with pytest.raises(FencingError, match=f"its registry is at epoch {epoch}, berlin active by run m4"):
        fence(run)
    assert StepName.FENCE not in run.folder.done()
    assert bench.nodes.calls == []
    assert bench.ensembles.role("berlin") == ahead(epoch=epoch)


def test_the_result_says_when(bench: Bench) -> None:
    run = cutover_run(bench)
    approved(bench, run)
    bench.clock.go_on(30)
    result = fence(run)
    assert result["started_at"] == (NOON + timedelta(seconds=30)).isoformat()


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let the Analytics service of any node fail to stop."""
    stop = Node.stop_service

    def stop_service(node: Node, name: str) -> None:
        if name == "analyticsService":
            raise error
        stop(node, name)

    monkeypatch.setattr(Node, "stop_service", stop_service)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TransientError("analytics still listens"), "not stopped: analyticsService: analytics still listens"),
        (ValueError("no number in 'x'"), "not stopped: analyticsService: ValueError: no number in 'x'"),
    ],
)
def test_one_part_that_does_not_stop_keeps_no_other_from_being_stopped(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    failing(monkeypatch, error)
    bench.nodes.agents_run("berlin_node1")
    run = cutover_run(bench)
    approved(bench, run)
    result = fence(run)
    *together, last = bench.nodes.told("berlin_node1")
    assert (sorted(together), last) == (["stop cmc", "stop loaderService"], "stop node")
    assert result["not_reached"] == {"services of berlin_node1": reason}
    assert (result["unfenced"], result["stopped"]) == (True, ["epoch registry", "services of berlin_node2"])


def test_an_error_that_nobody_thought_of_keeps_no_cutover_from_going_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("incorta_provider.steps.cutover.fence_source.stop_services", broken)
    run = cutover_run(bench)
    approved(bench, run)
    result = fence(run)
    assert result["not_reached"]["services of berlin_node1"] == "OSError: [Errno 28] No space left on device"
    assert bench.ensembles.role("berlin").epoch == 2


def test_a_source_that_comes_back_is_fenced_when_the_task_is_cleared(bench: Bench) -> None:
    bench.nodes.down.update({"berlin_node1", "berlin_node2"})
    bench.ensembles.down.add("berlin_zookeeper")
    run = cutover_run(bench)
    approved(bench, run)
    assert fence(run)["unfenced"] is True
    bench.clock.go_on(7200)
    bench.nodes.down.clear()
    bench.ensembles.down.clear()
    assert fence(cutover_run(bench))["unfenced"] is True
    result = fence(cleared(cutover_run(bench)))
    assert (result["unfenced"], result["not_reached"], result["stopped"]) == (False, {}, REACHED)
    assert result["finished_at"] == (NOON + timedelta(seconds=7200)).isoformat()
    assert run.folder.result(StepName.FENCE) == result
    assert bench.ensembles.role("berlin") == bench.ensembles.role("newyork")
    assert bench.ensembles.role("berlin").epoch == 2
    assert bench.last("cutover.source.fenced_again")["unfenced"] is False


def test_a_cutover_that_lost_its_role_fences_nobody_again(bench: Bench) -> None:
    bench.nodes.down.add("berlin_node1")
    run = cutover_run(bench)
    approved(bench, run)
    fence(run)
    bench.nodes.down.clear()
    bench.nodes.calls.clear()
    bench.ensembles.set_role("newyork", ahead())
    with pytest.raises(FencingError, match="run manual__1 is not the one that promotes newyork"):
        fence(cleared(run))
    assert bench.nodes.calls == []


def test_a_plan_that_is_days_old_opens_nothing_however_fresh_the_approval(bench: Bench) -> None:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    bench.clock.go_on(3 * 86400)
    seal_approval(run, answered_by="omar", chosen=[APPROVE], answered_at=bench.clock.now)
    with pytest.raises(PreconditionError, match="the plan was made 4320 minutes ago"):
        fence(run)
    assert bench.ensembles.role("newyork").epoch == 1
    assert bench.nodes.calls == []


def test_the_result_names_the_approval_that_it_used(bench: Bench) -> None:
    run = cutover_run(bench)
    approval = approved(bench, run)
    assert fence(run)["approval_nonce"] == approval.nonce
    assert run.folder.approval_use() == ApprovalUse(nonce=approval.nonce, clear_number=0, used_at=NOON)


def in_round(run: CutoverRun, clear_number: int) -> CutoverRun:
    return replace(run, clear_number=clear_number)


def test_a_run_that_was_cleared_since_needs_another_answer(bench: Bench) -> None:
    run = cutover_run(bench)
    approved(bench, run)
    with pytest.raises(ApprovalError, match=r"the run was cleared since it was approved \(then 0 times, now 1\)"):
        fence(in_round(run, 1))
    assert (bench.ensembles.role("newyork").epoch, bench.nodes.calls, run.folder.approval_use()) == (1, [], None)
    again = approved(bench, in_round(run, 1))
    assert fence(in_round(run, 1))["approval_nonce"] == again.nonce


def test_what_died_behind_the_new_role_goes_on_in_a_later_round_under_the_approval_that_was_used(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = cutover_run(bench)
    first = approved(bench, run)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr("incorta_provider.steps.cutover.fence.take_lock", killed)
        fence(run)
    assert bench.ensembles.role("newyork").epoch == 2
    approved(bench, in_round(run, 1))  # somebody cleared the gate too
    result = fence(in_round(run, 1))
    assert (result["approval_nonce"], result["approved_in_round"], result["epoch"]) == (first.nonce, 0, 2)


def test_an_approval_of_a_cutover_that_was_given_up_opens_nothing_again(bench: Bench) -> None:
    run = cutover_run(bench)
    approved(bench, run)
    fence(run)
    abort(bench.access, run.run_id, by="dana")
    (run.folder.root / "steps" / "fence.json").unlink()
    with pytest.raises(PreconditionError, match="the cutover was given up"):
        fence(run)
    assert bench.ensembles.role("newyork").active == "berlin"


def test_who_takes_a_promotion_up_takes_over_what_was_found_before_it(bench: Bench) -> None:
    """Else the way back of the second would lead to what the first one had set."""
    first, second = cutover_run(bench, "manual__1"), cutover_run(bench, "manual__2")
    frozen_plan(bench, first)
    approved(bench, first)
    fence(first)
    first.folder.save_source_events(["nightly"])
    first.folder.remember_traffic("dns", None)
    frozen_plan(bench, second)
    approved(bench, second)
    fence(second)
    assert second.folder.source_events() == ["nightly"]
    assert second.folder.traffic_before() == first.folder.traffic_before()
