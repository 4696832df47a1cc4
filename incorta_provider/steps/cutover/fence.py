"""Fence the source and take over: after this step the old site's work is refused, and it may not start new work.

The order matters. First the epoch at the target: from then on no replication run can seal or apply. Then the group's
lock, then the source itself, as far as it can be reached: its role, its services. What could not be reached is recorded
as unfenced; that is not an error, because an unplanned cutover is made when the primary is gone.

:raises ApprovalError: the approval is absent, not valid or expired.
:raises FencingError: another cutover is under way.
:raises TransientError: the target's ZooKeeper has no quorum.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from incorta_provider.coordination.group_lock import GroupLock, LockOwner
from incorta_provider.coordination.role_registry import RoleRegistry
from incorta_provider.coordination.zookeeper import connect
from incorta_provider.dr.epoch import Role, promoting_role
from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.dr.topology import Node
from incorta_provider.exceptions import DrError
from incorta_provider.steps.access import SiteAccess
from incorta_provider.steps.cutover.approve import verified_approval
from incorta_provider.steps.cutover.run import CutoverRun, Result
from incorta_provider.steps.locking import take_over_for_cutover

log = logging.getLogger(__name__)


def fence(run: CutoverRun) -> Result:
    """Raise the epoch at the target, then stop the source as far as it can be reached."""

    def action(plan: Plan) -> Result:
        approval = verified_approval(run, plan)
        role = _raise_epoch(run, plan, approval_is_fresh=lambda: approval.ensure_fresh(run.access.clock()))
        stopped, not_reached = _fence_source(run, run.access.site(plan.source), role)
        return {"epoch": role.epoch, "stopped": stopped, "not_reached": not_reached, "unfenced": bool(not_reached)}

    return run.perform(StepName.FENCE, action)


def _raise_epoch(run: CutoverRun, plan: Plan, approval_is_fresh: Callable[[], None]) -> Role:
    """Set the promoting role at the target, once; the lock follows, so that it is taken under the new epoch."""
    with connect(run.target.zookeeper) as client:
        registry = RoleRegistry(client, run.access.name)
        current = registry.read()
        if current is None:
            raise registry_empty(run.target.name)
        role = promoting_role(
            current.role, plan.target, by=plan.requested_by, run_id=run.run_id, at=run.access.clock()
        )
        if role != current.role:
            approval_is_fresh()
            ensure_planned_epoch(plan, current.role)
            registry.compare_and_set(current, role)
        take_over_for_cutover(run, GroupLock(client, run.access.name))
    return role


def _fence_source(run: CutoverRun, source: SiteAccess, role: Role) -> tuple[list[str], dict[str, str]]:
    """Try every part of the source; return what is stopped, and why the rest is not."""
    stopped: list[str] = []
    not_reached: dict[str, str] = {}
    for part, stop in _parts(run, source, role):
        try:
            stop()
        except DrError as error:
            not_reached[part] = error.what
            log.warning("%s of %s is not fenced: %s", part, source.name, error)
        else:
            stopped.append(part)
    return stopped, not_reached
