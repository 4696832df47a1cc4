"""Whatever is started, in whichever order and however often: nothing is done before its turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.dr.machine import APPROVED, Progress, ensure_may_skip, ensure_turn, ready_steps
from incorta_provider.dr.plan import CUTOVERS, Mode, Plan, PlanStep, StepName
from incorta_provider.dr.planning import GROUPS, make_plan
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.dr.topology import CommitWindow, Group
from incorta_provider.dr.traffic import SshCommand
from incorta_provider.exceptions import DrError, FencingError, NothingToDo, PreconditionError
from tests.unit.dr.test_plan import request

MakePlan = Callable[..., Plan]


@pytest.fixture(scope="session")
def make(group: Group, point: Callable[..., RecoveryPoint]) -> MakePlan:
    """Return what makes a plan of a mode, with every step that a topology may ask for."""
    proxy = SshCommand(
        kind="ssh", name="proxy", conn_id="p", set=("s",), get=("g",), values={"berlin": "b", "newyork": "n"}
    )
    whole = group.model_copy(update={"traffic": (proxy,), "commit_window": CommitWindow(seconds=60)})

    def make(mode: Mode, **changed: Any) -> Plan:
        asked = request(mode=mode, **changed)
        return make_plan("acme", whole, source="berlin", target="newyork", epoch=4, point=point(), request=asked)

    return make


def taken(step: StepName, plan: Plan, progress: Progress) -> bool:
    try:
        ensure_turn(step, plan, progress)
    except (DrError, NothingToDo):
        return False
    return True


@pytest.mark.parametrize("mode", CUTOVERS)
def test_each_mode_ends_in_the_promotion_and_fences_before_it_touches_the_target(make: MakePlan, mode: Mode) -> None:
    names = [step.name for step in make(mode).steps]
    assert names[-1] is StepName.PROMOTE
    assert names == sorted(names, key=list(StepName).index)
    before = names[: names.index(StepName.FENCE)]
    assert before == ([StepName.QUIESCE, StepName.FINAL_SYNC] if mode.loses_nothing else [])


def test_a_drill_touches_no_role_and_is_cleaned_up_at_any_time(make: MakePlan) -> None:
    plan = make(Mode.DRILL)
    names = [step.name for step in plan.steps]
    moving = {StepName.QUIESCE, StepName.FINAL_SYNC, StepName.FENCE, StepName.APPLY, StepName.PROMOTE}
    assert moving.isdisjoint(names)
    assert (names[0], names[-1]) == (StepName.PREPARE_DRILL, StepName.CLEAN_DRILL)
    assert {step.site for step in plan.steps} == {"newyork"}
    ensure_turn(StepName.CLEAN_DRILL, plan, Progress())
    with pytest.raises(PreconditionError, match="prepare_drill is not done"):
        ensure_turn(StepName.RESTORE, plan, Progress())


@given(
    mode=st.sampled_from(Mode),
    starts=st.lists(st.sampled_from(StepName), max_size=80),
    accepted=st.booleans(),
    unfenced=st.booleans(),
    approve_after=st.integers(0, 80),
    give_up_after=st.integers(0, 120),
)
def test_no_order_of_starts_approvals_and_interruptions_reaches_a_step_before_its_turn(
    make: MakePlan,
    mode: Mode,
    starts: list[StepName],
    accepted: bool,
    unfenced: bool,
    approve_after: int,
    give_up_after: int,
) -> None:
    """Every start is one try of a task that may be cleared, marked or started by hand; the journal alone counts."""
    plan = make(mode, accept_unfenced=accepted)
    done: set[StepName] = set()
    for number, step in enumerate(starts):
        approved, given_up = number >= approve_after, number >= give_up_after
        fenced_badly = unfenced and StepName.FENCE in done
        progress = Progress(done=done, approved=approved, unfenced=fenced_badly, given_up=given_up)
        if not taken(step, plan, progress):
            continue
        assert not given_up
        assert plan.step(step) is not None
        assert {earlier.name for earlier in plan.before(step)} <= done
        done.add(step)
        if step in APPROVED:
            assert approved
        if step is StepName.PROMOTE:
            assert StepName.FENCE in done
            assert accepted or not unfenced


@given(mode=st.sampled_from(Mode), cuts=st.lists(st.integers(0, 3), max_size=60), data=st.data())
def test_whatever_is_interrupted_the_ready_steps_lead_to_the_end(
    make: MakePlan, mode: Mode, cuts: list[int], data: st.DataObject
) -> None:
    """A try that is cut off leaves nothing behind; going on with what is ready ends with every step done, once."""
    plan, done, order = make(mode), set[StepName](), list[StepName]()
    for cut in [*cuts, *[0] * len(plan.steps)]:
        ready = ready_steps(plan, Progress(done=done, approved=True))
        if not ready:
            break
        step = data.draw(st.sampled_from(ready))
        if cut:
            continue
        done.add(step)
        order.append(step)
    assert sorted(order) == sorted(step.name for step in plan.steps)


def test_members_of_a_group_are_ready_at_the_same_time(make: MakePlan) -> None:
    plan = make(Mode.UNPLANNED)
    done: set[StepName] = set()
    seen = []
    while ready := ready_steps(plan, Progress(done=done, approved=True)):
        seen.append(tuple(ready))
        done |= set(ready)
    assert tuple(seen) == GROUPS[Mode.UNPLANNED]


def test_a_step_tells_the_first_one_that_is_missing(make: MakePlan) -> None:
    plan = make(Mode.UNPLANNED)
    with pytest.raises(PreconditionError) as refused:
        ensure_turn(StepName.COMPARE, plan, Progress(done={StepName.FENCE, StepName.RESTORE}, approved=True))
    assert refused.value.what == "step compare must not run: stop_target is not done"
    assert refused.value.where == "cutover manual__1"
    assert refused.value.fix == "Clear the task stop_target and let it finish; marking it as success is not enough."


def test_a_step_that_the_plan_does_not_have_never_runs(make: MakePlan) -> None:
    with pytest.raises(PreconditionError, match="step quiesce is not in the plan"):
        ensure_turn(StepName.QUIESCE, make(Mode.UNPLANNED), Progress(done=set(StepName), approved=True))


@given(order=st.permutations(StepName), done=st.sets(st.sampled_from(StepName)), step=st.sampled_from(StepName))
def test_the_plan_itself_says_what_stands_before(
    make: MakePlan, order: list[StepName], done: set[StepName], step: StepName
) -> None:
    """The order is the frozen plan's, not the one that the code has by now. Cleaning up waits for nothing."""
    steps = tuple(PlanStep(name=name, group=number, site="x", actions=()) for number, name in enumerate(order))
    shuffled = make(Mode.PLANNED).model_copy(update={"steps": steps})
    before = set() if step is StepName.CLEAN_DRILL else set(order[: order.index(step)])
    assert taken(step, shuffled, Progress(done=done, approved=True)) is (before <= done)


def test_a_source_that_is_unfenced_stands_before_the_promotion_unless_that_was_accepted(make: MakePlan) -> None:
    progress = Progress(done=set(StepName), approved=True, unfenced=True)
    with pytest.raises(FencingError, match="berlin is not fully fenced, and nobody accepted that"):
        ensure_turn(StepName.PROMOTE, make(Mode.UNPLANNED), progress)
    ensure_turn(StepName.PROMOTE, make(Mode.UNPLANNED, accept_unfenced=True), progress)


def test_only_an_optional_step_is_skipped_and_then_no_other_waits_for_it(make: MakePlan) -> None:
    plan = make(Mode.UNPLANNED)
    with pytest.raises(PreconditionError, match="it is not an optional step of this plan"):
        ensure_may_skip(StepName.VERIFY, plan, Progress())
    steps = tuple(step.model_copy(update={"optional": step.name is StepName.VERIFY}) for step in plan.steps)
    loose = plan.model_copy(update={"steps": steps})
    ensure_may_skip(StepName.VERIFY, loose, Progress())
    done = {step.name for step in steps} - {StepName.VERIFY, StepName.PROMOTE}
    ensure_turn(StepName.PROMOTE, loose, Progress(done=done, skipped={StepName.VERIFY}, approved=True))
    with pytest.raises(NothingToDo, match="step verify_service of cutover manual__1 was skipped by a person"):
        ensure_turn(StepName.VERIFY, loose, Progress(done=done, skipped={StepName.VERIFY}, approved=True))
    with pytest.raises(PreconditionError, match="it is done"):
        ensure_may_skip(StepName.VERIFY, loose, Progress(done={StepName.VERIFY}))
