"""What may run when: the one place that says so, whatever an Airflow task's state or order is.

Pure. The facts come from the cutover's journal in the catalog. Nothing is promoted before the whole source is fenced,
or a person's waiver of that is on record. No step touches a site before the cutover is approved.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from incorta_provider.dr.plan import Plan, PlanStep, StepName
from incorta_provider.exceptions import ApprovalError, DrError, FencingError, NothingToDo, PreconditionError

APPROVED = frozenset({StepName.QUIESCE, StepName.FENCE, StepName.PROMOTE})
"""The steps that ask for the approval: the first ones to touch the source, and the one that cannot be taken back."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a cutover is, by its journal.

    :ivar skipped: optional steps that a person decided to leave out.
    :ivar approved: whether a signed approval is there; the steps verify it themselves.
    :ivar unfenced: whether the fence left a part of the source as it was.
    :ivar given_up: whether the cutover was aborted.
    """

    done: AbstractSet[StepName] = frozenset()
    skipped: AbstractSet[StepName] = frozenset()
    approved: bool = False
    unfenced: bool = False
    given_up: bool = False


def ensure_turn(step: StepName, plan: Plan, progress: Progress) -> None:
    """Refuse a step until everything that it waits for is done.

    :raises PreconditionError: the cutover was aborted, or an earlier step is not done; names the first one.
    :raises ApprovalError: the step needs an approval, and there is none.
    :raises FencingError: the promotion's turn has come, the source is not fully fenced, and nobody accepted that.
    :raises NothingToDo: a person skipped this step.
    """
    before = plan.before(step)
    if progress.given_up:
        raise _blocked(step, plan, "the cutover was given up", "Trigger a new cutover.")
    if step in progress.skipped:
        raise NothingToDo(f"step {step} of cutover {plan.run_id} was skipped by a person; see the ledger")
    if step in APPROVED and not progress.approved:
        raise ApprovalError(
            "nobody approved this cutover",
            where=f"run {plan.run_id}",
            fix="Answer the approval task; marking it as success is not an approval.",
        )
    for earlier in before:
        if not _is_settled(earlier, progress):
            fix = f"Clear the task {earlier.name} and let it finish; marking it as success is not enough."
            raise _blocked(step, plan, f"{earlier.name} is not done", fix)
    if step is StepName.PROMOTE and progress.unfenced and not plan.accept_unfenced:
        raise FencingError(
            f"{plan.source} is not fully fenced, and nobody accepted that",
            where=f"cutover {plan.run_id}",
            fix="Clear the task fence when the source can be reached, or trigger a cutover that accepts it.",
        )


def ready_steps(plan: Plan, progress: Progress) -> list[StepName]:
    """Return the steps that may be taken now; they may be taken at the same time."""
    return [step.name for step in plan.steps if not _is_settled(step, progress) and _is_turn(step, plan, progress)]


def ensure_may_skip(step: StepName, plan: Plan, progress: Progress) -> None:
    """Refuse to skip a step that is critical, or done already.

    :raises PreconditionError: it is critical, or done.
    """
    known = plan.step(step)
    if known is None or not known.optional:
        raise _needed(step, plan, "it is not an optional step of this plan", "Fix the cause and clear its task.")
    if step in progress.done:
        raise _needed(step, plan, "it is done", "There is nothing to skip.")


def _is_settled(step: PlanStep, progress: Progress) -> bool:
    return step.name in progress.done or (step.optional and step.name in progress.skipped)


def _is_turn(step: PlanStep, plan: Plan, progress: Progress) -> bool:
    try:
        ensure_turn(step.name, plan, progress)
    except (DrError, NothingToDo):
        return False
    return True


def _blocked(step: StepName, plan: Plan, what: str, fix: str) -> PreconditionError:
    return PreconditionError(f"step {step} must not run: {what}", where=f"cutover {plan.run_id}", fix=fix)


def _needed(step: StepName, plan: Plan, what: str, fix: str) -> PreconditionError:
    return PreconditionError(f"step {step} cannot be skipped: {what}", where=f"cutover {plan.run_id}", fix=fix)
