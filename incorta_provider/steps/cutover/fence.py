"""Fence the source: from here on the old site's work is refused, and it is stopped as far as it can be reached.

The order matters. First the epoch at the target: from then on no replication run can seal or apply. Then the group's
lock. Then the source itself: its role and its services. What could not be reached is recorded as unfenced; that is no
error, because an unplanned cutover is made when the primary is gone.

:raises ApprovalError: the approval is absent, not valid or expired.
:raises FencingError: the roles changed since the plan was made, or another cutover is under way.
:raises TransientError: the target's ZooKeeper has no quorum.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from incorta_provider.coordination.group_lock import GroupLock
from incorta_provider.coordination.role_registry import RoleRegistry
from incorta_provider.coordination.session import Session
from incorta_provider.coordination.zookeeper import connect
from incorta_provider.dr.approval import Approval
from incorta_provider.dr.epoch import Role, promoting_role, registry_empty
from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.dr.topology import Node
from incorta_provider.exceptions import DrError, FencingError
from incorta_provider.steps.access import SiteAccess
from incorta_provider.steps.cutover.approve import verified_approval
from incorta_provider.steps.cutover.run import CutoverRun, Result
from incorta_provider.steps.locking import CUTOVER, hold, lock_owner
from incorta_provider.steps.roles import copy_role, tell

log = logging.getLogger(__name__)


def fence(run: CutoverRun) -> Result:
    """Raise the epoch at the target, then stop the source as far as it can be reached."""

    def action(plan: Plan) -> Result:
        approval = verified_approval(run, plan)
        with connect(run.target.zookeeper) as session:
            role = _raise_epoch(run, plan, approval, session)
            _take_lock(run, session)
        stopped, not_reached = _fence_source(run, run.access.site(plan.source), role)
        others = [name for name in run.access.config.sites if name not in {plan.source, plan.target}]
        return {
            "epoch": role.epoch,
            "stopped": stopped,
            "not_reached": not_reached,
            "not_told": tell(run.access, others, role),
            "unfenced": bool(not_reached),
        }

    return run.perform(StepName.FENCE, action)


def _raise_epoch(run: CutoverRun, plan: Plan, approval: Approval, session: Session) -> Role:
    """Set the promoting role, once: a retried step finds its own and needs no fresh approval any more."""
    registry = RoleRegistry(session, run.access.name)
    stored = registry.read()
    if stored is None:
        raise registry_empty(run.target.name)
    now = run.access.clock()
    role = promoting_role(stored.role, plan.target, by=plan.requested_by, run_id=run.run_id, at=now)
    if role != stored.role:
        approval.ensure_fresh(now)
        if stored.role.epoch != plan.epoch:
            raise _stale(plan, stored.role)
    return registry.compare_and_set(stored, role).role


def _stale(plan: Plan, role: Role) -> FencingError:
    return FencingError(
        f"the plan was made under epoch {plan.epoch}, now it is {role.epoch}",
        where=f"cutover {plan.run_id}",
        fix="The roles changed since it was approved. Nothing was changed; trigger a new cutover.",
    )


def _take_lock(run: CutoverRun, session: Session) -> None:
    """Take the lock from whoever holds it: under the new epoch every other run is refused, so none is waited for."""
    owner = lock_owner(run.access, run_id=run.run_id, actor=run.actor, purpose=CUTOVER)
    hold(GroupLock(session, run.access.name), owner, run.note, supersedes=lambda _: True)


def _fence_source(run: CutoverRun, source: SiteAccess, role: Role) -> tuple[list[str], dict[str, str]]:
    """Try every part of the source at the same time; return what is fenced, and why the rest is not."""
    key = run.script_key(StepName.FENCE)
    parts: dict[str, Callable[[], None]] = {"epoch registry": partial(copy_role, run.access, source, role)}
    for node in source.config.nodes:
        parts[f"services of {node.conn_id}"] = partial(stop_services, source, node, key)
    with ThreadPoolExecutor(max_workers=len(parts)) as pool:
        reasons = dict(zip(parts, pool.map(_attempt, parts.values()), strict=True))
    for part, reason in reasons.items():
        if reason:
            log.warning("%s of %s: not fenced: %s", part, source.name, reason)
    fenced = [part for part, reason in reasons.items() if reason is None]
    return fenced, {part: reason for part, reason in reasons.items() if reason is not None}


def _attempt(part: Callable[[], None]) -> str | None:
    try:
        part()
    except DrError as error:
        return error.what
    return None


def stop_services(site: SiteAccess, config: Node, run_id: str) -> None:
    """Stop what Incorta runs on one node, services first; "stopped already" is a pass."""
    with site.node(config, run_id) as node:
        for service in reversed(config.services):
            node.stop_service(service)
        if config.conn_id == site.config.cmc.node:
            node.stop_cmc()
        node.stop_node()
