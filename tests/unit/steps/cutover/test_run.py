from __future__ import annotations

from typing import Any

import pytest

from incorta_provider.dr.plan import Mode, Plan, StepName
from incorta_provider.dr.planning import GROUPS
from incorta_provider.exceptions import FencingError, IntegrityError, PreconditionError, TransientError
from incorta_provider.steps.cutover.run import REPEATABLE
from tests.builders.group import NOON, Bench, cleared, cutover_run, done_before, frozen_plan, promoting

WISHED_FOR = {StepName.SWITCH_TRAFFIC, StepName.COMMIT_WINDOW}
"""Only plans of a topology that asks for them have these."""
STEPS = [step for group in GROUPS[Mode.UNPLANNED] for step in group if step not in WISHED_FOR]
ONCE = [step for step in STEPS if step not in REPEATABLE]


class Work:
    """What a step does: counts its tries, and fails as often as it is told."""

    def __init__(self, bench: Bench, *failures: Exception) -> None:
        self.bench = bench
        self.failures = list(failures)
        self.plans: list[Plan] = []

    def __call__(self, plan: Plan) -> dict[str, Any]:
        self.plans.append(plan)
        self.bench.clock.go_on(5)
        if self.failures:
            raise self.failures.pop(0)
        return {"tries": len(self.plans)}


@pytest.mark.parametrize("step", StepName)
def test_without_a_plan_no_step_runs(bench: Bench, step: StepName) -> None:
    work = Work(bench)
    with pytest.raises(PreconditionError, match="no plan was frozen for run manual__1"):
        cutover_run(bench).perform(step, work)
    assert work.plans == []


@pytest.mark.parametrize("step", [step for step in STEPS if step is not StepName.FENCE])
def test_no_step_runs_before_the_one_in_front_of_it_is_done(bench: Bench, step: StepName) -> None:
    run, work = cutover_run(bench), Work(bench)
    frozen_plan(bench, run)
    done_before(bench, run, step)
    missing = run.folder.plan().before(step)[-1].name
    (run.folder.root / "steps" / f"{missing}.json").unlink()
    with pytest.raises(PreconditionError, match=f"step {step} must not run: {missing} is not done"):
        run.perform(step, work)
    assert work.plans == []
    assert bench.events() == []


@pytest.mark.parametrize("step", STEPS)
def test_a_step_in_its_turn_is_done_with_the_frozen_plan_and_leaves_its_times(bench: Bench, step: StepName) -> None:
    run, work = cutover_run(bench), Work(bench)
    plan = frozen_plan(bench, run)
    done_before(bench, run, step)
    started = bench.clock.now
    result = run.perform(step, work)
    assert work.plans == [plan]
    assert result["seconds"] >= 0
    assert {name: value for name, value in result.items() if name != "seconds"} == {
        "tries": 1,
        "step": str(step),
        "round": 0,
        "started_at": started.isoformat(),
        "finished_at": bench.clock.now.isoformat(),
    }
    assert cutover_run(bench).folder.result(step) == result
    assert bench.events() == ["cutover.step.started", "cutover.step.done"]
    assert bench.last("cutover.step.done") == result


@pytest.mark.parametrize("step", ONCE)
def test_a_step_that_is_done_is_not_done_again(bench: Bench, step: StepName) -> None:
    run, work = cutover_run(bench), Work(bench)
    frozen_plan(bench, run)
    done_before(bench, run, step)
    first = run.perform(step, work)
    bench.clock.go_on(60)
    assert cutover_run(bench).perform(step, work) == first
    assert len(work.plans) == 1
    assert bench.events() == ["cutover.step.started", "cutover.step.done"]


@pytest.mark.parametrize("step", sorted(REPEATABLE & set(STEPS)))
def test_a_start_is_done_again_when_a_task_is_cleared_because_a_service_may_have_died(
    bench: Bench, step: StepName
) -> None:
    run, work = cutover_run(bench), Work(bench)
    frozen_plan(bench, run)
    done_before(bench, run, step)
    first = run.perform(step, work)
    assert run.perform(step, work) == first
    second = cleared(run).perform(step, work)
    assert second["tries"] == 2
    assert run.folder.result(step) == second
    assert second["round"] == 1
    assert bench.events() == ["cutover.step.started", "cutover.step.done"] * 2
    assert bench.last("cutover.step.done") == second


def test_only_stop_starts_and_cleaning_up_are_repeatable() -> None:
    starts = ["start_analytics", "start_cmc", "start_loader", "start_nodes"]
    assert sorted(REPEATABLE) == ["clean_drill", "quiesce", *starts, "stop_target"]


def test_a_failure_is_noted_with_its_reason_and_the_step_can_be_tried_again(bench: Bench) -> None:
    run = cutover_run(bench)
    work = Work(bench, TransientError("busy", where="there"), IntegrityError("damaged"))
    frozen_plan(bench, run)
    done_before(bench, run, StepName.FENCE)
    with pytest.raises(TransientError, match="busy"):
        run.perform(StepName.FENCE, work)
    assert bench.last("cutover.step.failed") == {"step": "fence", "error": "TransientError", "reason": "busy [there]."}
    with pytest.raises(IntegrityError):
        run.perform(StepName.FENCE, work)
    assert run.folder.done() == set()
    assert run.perform(StepName.FENCE, work)["tries"] == 3
    assert bench.events() == [
        "cutover.step.started",
        "cutover.step.failed",
        "cutover.step.started",
        "cutover.step.failed",
        "cutover.step.started",
        "cutover.step.done",
    ]


def test_a_crash_leaves_the_step_open(bench: Bench) -> None:
    run, work = cutover_run(bench), Work(bench, ZeroDivisionError())
    frozen_plan(bench, run)
    done_before(bench, run, StepName.FENCE)
    with pytest.raises(ZeroDivisionError):
        run.perform(StepName.FENCE, work)
    assert run.folder.done() == set()
    assert bench.events() == ["cutover.step.started"]
    assert run.perform(StepName.FENCE, work)["tries"] == 2


def test_a_kill_between_result_and_ledger_is_mended_by_the_next_try(bench: Bench) -> None:
    run, work = cutover_run(bench), Work(bench)
    frozen_plan(bench, run)
    done_before(bench, run, StepName.FENCE)
    result = run.perform(StepName.FENCE, work)
    ledger = bench.catalog.root / "ledger.jsonl"
    ledger.write_text(ledger.read_text().splitlines(keepends=True)[0])
    run.perform(StepName.FENCE, work)
    assert bench.events() == ["cutover.step.started", "cutover.step.done"]
    assert bench.last("cutover.step.done") == result


@pytest.mark.parametrize("step", [step for step in STEPS if step is not StepName.FENCE])
def test_when_another_run_took_over_no_step_of_this_one_runs_any_more(bench: Bench, step: StepName) -> None:
    run, work = cutover_run(bench), Work(bench)
    frozen_plan(bench, run)
    done_before(bench, run, step)
    promoting(bench, "manual__2")
    with pytest.raises(FencingError, match="run manual__1 is not the one that promotes newyork"):
        run.perform(step, work)
    assert work.plans == []
    assert run.folder.result(step) is None


def test_a_step_waits_for_the_registry_to_answer(bench: Bench) -> None:
    run, work = cutover_run(bench), Work(bench)
    frozen_plan(bench, run)
    done_before(bench, run, StepName.APPLY)
    bench.ensembles.down.add("newyork_zookeeper")
    with pytest.raises(TransientError):
        run.perform(StepName.APPLY, work)
    assert work.plans == []


def test_runs_keep_their_steps_apart(bench: Bench) -> None:
    first, second = cutover_run(bench, "manual__1"), cutover_run(bench, "manual__2")
    for run in (first, second):
        frozen_plan(bench, run)
        done_before(bench, run, StepName.FENCE)
    first.perform(StepName.FENCE, Work(bench))
    assert second.folder.done() == set()
    assert second.perform(StepName.FENCE, Work(bench))["tries"] == 1


def test_scripts_are_named_after_run_and_step_and_anew_once_the_step_was_done(bench: Bench) -> None:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    assert run.script_key(StepName.START_CMC) == "manual__1 start_cmc"
    done_before(bench, run, StepName.START_CMC)
    assert run.script_key(StepName.START_CMC) == "manual__1 start_cmc"
    run.perform(StepName.START_CMC, Work(bench))
    assert run.script_key(StepName.START_CMC) == f"manual__1 start_cmc {bench.clock.now.isoformat()}"


def test_a_line_carries_the_run_and_who_acts(bench: Bench) -> None:
    run = cutover_run(bench, actor="hana")
    run.note("one", "1", {"a": 1})
    run.note("two", "2", {}, actor="omar")
    run.note("two", "2", {}, actor="somebody else")
    lines = list(bench.access.site("newyork").ledger.entries())
    assert [(line.event, line.actor, line.run_id, line.group, line.at) for line in lines] == [
        ("one", "hana", "manual__1", "acme", NOON),
        ("two", "omar", "manual__1", "acme", NOON),
    ]


@pytest.mark.parametrize("step", [step for step in STEPS if step is not StepName.FENCE])
def test_a_done_step_of_a_cutover_that_lost_its_role_does_not_look_green(bench: Bench, step: StepName) -> None:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    done_before(bench, run, step)
    run.folder.record(step, {"step": str(step), "finished_at": bench.clock.now.isoformat()})
    promoting(bench, "manual__2")
    with pytest.raises(FencingError, match="run manual__1 is not the one that promotes newyork"):
        run.perform(step, Work(bench))
