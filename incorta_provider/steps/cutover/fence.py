"""Fence the source: from here on the old site's work is refused, and it is stopped as far as it can be reached.

The order matters. First the epoch at the target: from then on no replication run can seal or apply. Then the group's
lock. Then the source itself: its role, its services and its database, each part tried whatever becomes of the others.
What was not stopped ends the cutover, unless a person accepted that before the approval; then it is recorded as
unfenced, and tried again when the task is cleared, and by the watcher.

:raises ApprovalError: the approval is absent, not valid, expired, or of an earlier round of the run.
:raises FencingError: the roles changed since the plan was made, another cutover is under way, or a part of the source
    may go on writing and nobody accepted that.
:raises TransientError: the target's ZooKeeper has no quorum.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from incorta_provider.coordination.role_registry import RoleRegistry
from incorta_provider.coordination.session import Session
from incorta_provider.coordination.zookeeper import connect
from incorta_provider.dr.epoch import Role, RoleState, ensure_promoting, promoting_role, registry_empty
from incorta_provider.dr.plan import Plan, StepName, ensure_plan_fresh
from incorta_provider.exceptions import FencingError
from incorta_provider.steps.cutover.approve import approval_to_use, used_approval, verified_approval
from incorta_provider.steps.cutover.fence_source import fence_again, fence_source
from incorta_provider.steps.cutover.final_sync import ensure_nothing_written
from incorta_provider.steps.cutover.lock import take_lock
from incorta_provider.steps.cutover.run import CutoverRun, Result
from incorta_provider.steps.roles import role_at, tell


def fence(run: CutoverRun) -> Result:
    """Raise the epoch at the target, then stop the source as far as it can be reached.

    Cleared after it was done, it tries the source again as long as a part of it is not fenced.
    """

    def action(plan: Plan) -> Result:
        verified_approval(run, plan)
        if plan.mode.loses_nothing and not _is_ours(run):
            ensure_nothing_written(run, run.access.site(plan.source))
        with connect(run.target.zookeeper) as session:
            role = _raise_epoch(run, plan, session)
            take_lock(run, session)
        approval = used_approval(run, plan)
        others = [name for name in run.access.config.sites if name not in {plan.source, plan.target}]
        fenced = fence_source(run, run.access.site(plan.source), role)
        _ensure_accepted(plan, fenced["not_reached"])
        return {
            "epoch": role.epoch,
            "approval_nonce": approval.nonce,
            "approved_in_round": approval.clear_number,
            **fenced,
            "not_told": tell(run.access, others, role, refuse_others=True),
        }

    known = run.folder.result(StepName.FENCE)
    again = known is not None and known.get("unfenced") and not run.took(known)
    return _try_source_again(run, known) if known and again else run.perform(StepName.FENCE, action)


def _is_ours(run: CutoverRun) -> bool:
    """Tell whether a former try took the role already."""
    role = role_at(run.access, run.target)
    return role is not None and role.run_id == run.run_id


def _try_source_again(run: CutoverRun, known: Result) -> Result:
    """Fence a source that came back, as long as this cutover's role holds; the first result is kept in the ledger."""
    source = run.access.site(run.folder.plan().source)
    role = ensure_promoting(role_at(run.access, run.target), run_id=run.run_id, target=run.target.name)
    return fence_again(run, source, role, known) or known


def _raise_epoch(run: CutoverRun, plan: Plan, session: Session) -> Role:
    """Set the promoting role, once, and use the approval up: a retried step finds its own role and needs no other."""
    registry = RoleRegistry(session, run.access.name)
    stored = registry.read()
    if stored is None:
        raise registry_empty(run.target.name)
    now = run.access.clock()
    role = promoting_role(stored.role, plan.target, by=plan.requested_by, run_id=run.run_id, at=now)
    if role != stored.role:
        if stored.role.epoch != plan.epoch:
            raise _stale(plan, stored.role)
        _use_approval(run, plan, now)
        if stored.role.state is RoleState.PROMOTING:
            run.folder.inherit(stored.role.run_id)
    return registry.compare_and_set(stored, role).role


def _use_approval(run: CutoverRun, plan: Plan, now: datetime) -> None:
    """Begin with a young approval and a young plan; the quiesce of a planned cutover began with both already."""
    if plan.mode.loses_nothing:
        used_approval(run, plan)
        return
    ensure_plan_fresh(plan, now, timedelta(seconds=run.access.config.approval.timeout_seconds))
    approval_to_use(run, plan, now)


def _stale(plan: Plan, role: Role) -> FencingError:
    return FencingError(
        f"the plan was made under epoch {plan.epoch}, now it is {role.epoch}",
        where=f"cutover {plan.run_id}",
        fix="The roles changed since it was approved. Nothing was changed; trigger a new cutover.",
    )


def _ensure_accepted(plan: Plan, not_reached: dict[str, str]) -> None:
    """Stop when a part of the source may go on writing, unless a person accepted that before the approval."""
    if not_reached and not plan.accept_unfenced:
        raise FencingError(
            f"{plan.source} is not fully fenced: "
            + "; ".join(f"{part}: {reason}" for part, reason in not_reached.items()),
            where=f"cutover {plan.run_id}",
            fix="Clear this task when it can be reached. If it is lost, give this cutover up and trigger one that "
            "accepts an unfenced source.",
        )
