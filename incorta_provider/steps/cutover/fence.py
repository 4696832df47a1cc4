"""Fence the source: from here on the old site's work is refused, and it is stopped as far as it can be reached.

The order matters. First the epoch at the target: from then on no replication run can seal or apply. Then the group's
lock. Then the source itself: its role and its services, each part tried whatever becomes of the others. What was not
stopped is recorded as unfenced; that is no error, because an unplanned cutover is made when the primary is gone. The
task may be cleared when the source is back.

:raises ApprovalError: the approval is absent, not valid or expired.
:raises FencingError: the roles changed since the plan was made, or another cutover is under way.
:raises TransientError: the target's ZooKeeper has no quorum.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

from incorta_provider.coordination.role_registry import RoleRegistry
from incorta_provider.coordination.session import Session
from incorta_provider.coordination.zookeeper import connect
from incorta_provider.dr.approval import Approval
from incorta_provider.dr.epoch import Role, ensure_promoting, promoting_role, registry_empty
from incorta_provider.dr.plan import Plan, StepName, ensure_plan_fresh
from incorta_provider.dr.topology import Node
from incorta_provider.exceptions import DrError, FencingError, TransientError
from incorta_provider.steps.access import SiteAccess
from incorta_provider.steps.cutover.approve import verified_approval
from incorta_provider.steps.cutover.final_sync import ensure_nothing_written
from incorta_provider.steps.cutover.lock import take_lock
from incorta_provider.steps.cutover.run import CutoverRun, Result
from incorta_provider.steps.roles import copy_role, role_at, tell

log = logging.getLogger(__name__)


def fence(run: CutoverRun) -> Result:
    """Raise the epoch at the target, then stop the source as far as it can be reached.

    Cleared after it was done, it tries the source again as long as a part of it is not fenced.
    """

    def action(plan: Plan) -> Result:
        approval = verified_approval(run, plan)
        if plan.mode.loses_nothing and not _is_ours(run):
            ensure_nothing_written(run, run.access.site(plan.source))
        with connect(run.target.zookeeper) as session:
            role = _raise_epoch(run, plan, approval, session)
            take_lock(run, session)
        others = [name for name in run.access.config.sites if name not in {plan.source, plan.target}]
        fenced = _fence_source(run, run.access.site(plan.source), role)
        _ensure_accepted(plan, fenced["not_reached"])
        return {
            "epoch": role.epoch,
            "approval_nonce": approval.nonce,
            **fenced,
            "not_told": tell(run.access, others, role),
        }

    known = run.folder.result(StepName.FENCE)
    return _try_source_again(run, known) if known and known.get("unfenced") else run.perform(StepName.FENCE, action)


def _is_ours(run: CutoverRun) -> bool:
    """Tell whether a former try took the role already."""
    role = role_at(run.access, run.target)
    return role is not None and role.run_id == run.run_id


def _try_source_again(run: CutoverRun, known: Result) -> Result:
    """Fence a source that came back, as long as this cutover's role holds; the first result is kept in the ledger."""
    source = run.access.site(run.folder.plan().source)
    role = ensure_promoting(role_at(run.access, run.target), run_id=run.run_id, target=run.target.name)
    facts = _fence_source(run, source, role)
    result = {**known, **facts, "finished_at": run.access.clock().isoformat()}
    run.folder.record(StepName.FENCE, result)
    run.note("cutover.source.fenced_again", f"fence:again:{result['finished_at']}", facts)
    return result


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
        ensure_plan_fresh(plan, now, timedelta(seconds=run.access.config.approval.timeout_seconds))
        if stored.role.epoch != plan.epoch:
            raise _stale(plan, stored.role)
    return registry.compare_and_set(stored, role).role


def _stale(plan: Plan, role: Role) -> FencingError:
    return FencingError(
        f"the plan was made under epoch {plan.epoch}, now it is {role.epoch}",
        where=f"cutover {plan.run_id}",
        fix="The roles changed since it was approved. Nothing was changed; trigger a new cutover.",
    )


def _fence_source(run: CutoverRun, source: SiteAccess, role: Role) -> Result:
    """Try every part of the source at the same time; return what is fenced, and why the rest is not."""
    key = run.script_key(StepName.FENCE)
    parts: dict[str, Callable[[], object]] = {"epoch registry": partial(copy_role, run.access, source, role)}
    for node in source.config.nodes:
        parts[f"services of {node.conn_id}"] = partial(stop_services, source, node, key)
    with ThreadPoolExecutor(max_workers=len(parts)) as pool:
        reasons = dict(zip(parts, pool.map(_attempt, parts.values()), strict=True))
    not_reached = {part: reason for part, reason in reasons.items() if reason is not None}
    for part, reason in not_reached.items():
        log.warning("%s of %s: not fenced: %s", part, source.name, reason)
    return {
        "stopped": [part for part in parts if part not in not_reached],
        "not_reached": not_reached,
        "unfenced": bool(not_reached),
    }


def _ensure_accepted(plan: Plan, not_reached: dict[str, str]) -> None:
    """Stop when a part of the source may go on writing, unless a person accepted that before the approval."""
    if not_reached and not plan.accept_unfenced:
        raise FencingError(
            f"{plan.source} is not fenced whole: "
            + "; ".join(f"{part}: {reason}" for part, reason in not_reached.items()),
            where=f"cutover {plan.run_id}",
            fix="Clear this task when it can be reached. If it is lost, give this cutover up and trigger one that "
            "accepts an unfenced source.",
        )


def _attempt(part: Callable[[], object]) -> str | None:
    """Return why a part failed; whatever it is, it keeps neither the other parts nor the cutover from going on."""
    try:
        part()
    except DrError as error:
        return error.what
    except Exception as error:
        log.exception("a part of the source failed in a way of its own")
        return f"{type(error).__name__}: {error}"
    return None


def stop_services(site: SiteAccess, config: Node, run_id: str) -> None:
    """Stop what Incorta runs on one node, services first; "stopped already" is a pass.

    :raises TransientError: says which parts are not stopped, and why; each of the others was stopped all the same.
    """
    with site.node(config, run_id) as node:
        parts: dict[str, Callable[[], None]] = {
            service: partial(node.stop_service, service) for service in reversed(config.services)
        }
        if config.conn_id == site.config.cmc.node:
            parts["CMC"] = node.stop_cmc
        parts["node agent"] = node.stop_node
        failed = {part: reason for part, stop in parts.items() if (reason := _attempt(stop))}
    if failed:
        raise TransientError(
            "not stopped: " + "; ".join(f"{part}: {reason}" for part, reason in failed.items()),
            where=f"node {config.conn_id}",
            fix="Stop it at the node by hand, then clear this task.",
        )
