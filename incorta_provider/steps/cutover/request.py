"""Check a request and the target site, then freeze the plan. Nothing is changed at either site.

:raises PreconditionError: the request is incomplete or stale, there is no recovery point, the target is active already,
    or something that the cutover needs is not in order; every finding is named.
:raises IntegrityError: the recovery point is damaged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from incorta_provider.coordination.role_registry import RoleRegistry
from incorta_provider.coordination.zookeeper import connect
from incorta_provider.dr.epoch import Role, promoting_role
from incorta_provider.dr.plan import Plan, Request, ensure_acceptable, make_plan
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.exceptions import DrError, PreconditionError
from incorta_provider.steps.cutover.approve import signing_key
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.point import ensure_point_whole

log = logging.getLogger(__name__)


def request_cutover(run: CutoverRun, request: Request) -> Plan:
    """Return the frozen plan of this run, made now or by a former try."""
    if run.folder.has_plan():
        return run.folder.plan()
    ensure_acceptable(request)
    signing_key(run.access)
    role = _current_role(run)
    promoting_role(role, request.target, by=request.requested_by, run_id=run.run_id, at=request.created_at)
    point = _point(run, request)
    _ensure_ready(run, point)
    plan = run.folder.freeze(
        make_plan(
            run.access.name,
            run.access.config,
            source=role.active,
            target=request.target,
            epoch=role.epoch,
            point=point,
            request=request,
        )
    )
    details = {"plan_sha256": plan.sha256, "recovery_point": point.id, "reason": request.reason, "mode": plan.mode}
    run.note("cutover.requested", "requested", details)
    return plan


def _current_role(run: CutoverRun) -> Role:
    """Return what the target's registry says; the source may be gone."""
    with connect(run.target.zookeeper) as client:
        role = RoleRegistry(client, run.access.name).read()
    if role is None:
        raise PreconditionError(
            "the epoch registry is empty",
            where=f"ZooKeeper of site {run.target.name}",
            fix="Run `incorta-dr epoch init` once.",
        )
    return role


def _point(run: CutoverRun, request: Request) -> RecoveryPoint:
    """Return the point that was asked for, proven to be what was sealed."""
    catalog = run.target.catalog
    point = catalog.get(request.recovery_point or None)
    ensure_point_whole(catalog, point)
    return point


def _ensure_ready(run: CutoverRun, point: RecoveryPoint) -> None:
    """Refuse a cutover to a site that could not carry it out, with everything that is not in order."""
    findings = []
    for what, check in _checks(run, point):
        try:
            finding = check()
        except DrError as error:
            finding = str(error)
        if finding:
            findings.append(f"{what}: {finding}")
    if findings:
        raise PreconditionError(
            f"site {run.target.name} is not ready:\n  " + "\n  ".join(findings),
            where=f"cutover {run.run_id}",
            fix="Nothing was changed. Mend what is named, then trigger the cutover again.",
        )


Check = Callable[[], str | None]


def _checks(run: CutoverRun, point: RecoveryPoint) -> Iterator[tuple[str, Check]]:
    target = run.target
    yield "metadata database", target.database.problem
    yield "ZooKeeper", lambda: zookeeper_reason(target.zookeeper)
    for config in target.config.nodes:
        yield f"node {config.conn_id}", lambda config=config: _release_problem(run, config, point)  # type: ignore[misc]


def _release_problem(run: CutoverRun, config: Node, point: RecoveryPoint) -> str | None:
    """Both sites must run the same release of Incorta."""
    with run.target.node(config) as node:
        version = node.version()
    if version != point.incorta_version:
        return f"runs Incorta {version}, the recovery point was made by {point.incorta_version}"
    return None
