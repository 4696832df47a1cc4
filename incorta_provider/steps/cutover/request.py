"""Check a request and the target site, then freeze the plan. Nothing is changed at either site.

:raises PreconditionError: the request is incomplete or stale, there is no recovery point, the target is active already,
    or something that the cutover needs is not in order; every finding is named.
:raises IntegrityError: the recovery point is damaged, or files of it are nowhere.
:raises TransientError: an apply is under way at the target.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial

from incorta_provider.dr.epoch import Role, RoleState, promoting_role, registry_empty
from incorta_provider.dr.plan import Mode, Plan, StepName
from incorta_provider.dr.planning import make_plan
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.dr.request import Request, ensure_acceptable, ensure_same_run
from incorta_provider.dr.site import Node
from incorta_provider.exceptions import DrError, FencingError, PreconditionError
from incorta_provider.metadata.readiness.finding import Finding, Severity, blockers
from incorta_provider.metadata.readiness.server_rules import WRITE_SWITCHES
from incorta_provider.metadata.replica.accounts import lacking_rights
from incorta_provider.metadata.replica.opening import channel_at
from incorta_provider.metadata.switch import ensure_alone
from incorta_provider.steps.access import SiteAccess
from incorta_provider.steps.cutover.approve import signing_key
from incorta_provider.steps.cutover.rehearse import rehearse
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.cutover.source_checks import source_problem
from incorta_provider.steps.cutover.traffic import traffic_problem
from incorta_provider.steps.fencing import database_mark
from incorta_provider.steps.metadata_readiness import judge_restore
from incorta_provider.steps.metadata_scan import scan_files
from incorta_provider.steps.point import ensure_point_whole, point_inventory
from incorta_provider.steps.readiness import Part, not_ready
from incorta_provider.steps.roles import knows_better, role_at, roles_that_answer
from incorta_provider.steps.running import running, unknown_ports
from incorta_provider.storage.records.cutover_folder import CutoverFolder

log = logging.getLogger(__name__)

SHOWN = 20

Check = Callable[[], str | None]
"""Looks at one thing and returns what is not in order; None when it is."""


def request_cutover(run: CutoverRun, request: Request) -> Plan:
    """Return the frozen plan of this run, made now or by a former try."""
    if run.folder.has_plan():
        plan = run.folder.plan()
        ensure_same_run(plan, request)
        return plan
    plan = frozen(run, proposed_plan(run, request))
    details = {
        "plan_sha256": plan.sha256,
        "recovery_point": plan.recovery_point,
        "reason": request.reason,
        "mode": plan.mode,
        "accept_unfenced": plan.accept_unfenced,
    }
    run.note("cutover.requested", "requested", details)
    return plan


def proposed_plan(run: CutoverRun, request: Request) -> Plan:
    """Return the plan that would be frozen, after every check; nothing is written."""
    ensure_acceptable(request)
    _ensure_home(run, request)
    signing_key(run.access)
    role = _role(run, request)
    point = run.target.catalog.get(request.recovery_point or None)
    ensure_point_whole(run.target.catalog, point)
    source = _source(role, point)
    _ensure_not_left_behind(run, request, point)
    ensure_in_order(run, _checks(run, point, request.mode))
    return _plan(run, request, role, source, point)


def _ensure_home(run: CutoverRun, request: Request) -> None:
    """A failback goes home: to the site that the topology calls the primary."""
    home = run.access.config.primary
    if request.mode is Mode.FAILBACK and request.target != home:
        raise PreconditionError(
            f"a failback of {run.access.name} goes to {home}, not to {request.target}",
            where=f"run {request.run_id}",
            fix=f"Nothing was changed; choose {home}, or the mode {Mode.PLANNED}.",
        )


def _ensure_not_left_behind(run: CutoverRun, request: Request, point: RecoveryPoint) -> None:
    """Refuse the newest point when the target was active itself since: it has nothing of that time, nor of any later.

    It may be all that is left, so a person may choose it by its id. A planned cutover makes a point of its own.
    """
    if request.recovery_point or request.mode.loses_nothing:
        return
    for folder, plan in CutoverFolder.all(run.target.catalog.root):
        promoted = folder.result(StepName.PROMOTE)
        if promoted is not None and datetime.fromisoformat(promoted["finished_at"]) > point.opened_at:
            raise PreconditionError(
                f"the newest recovery point {point.id} is from before {request.target} was active itself, "
                f"by cutover {plan.run_id}: it has nothing of what happened since",
                where=f"catalog of {request.target}",
                fix="Nothing was changed. Let replication make a point; if nothing else is left, choose it by its id.",
            )


def frozen(run: CutoverRun, plan: Plan) -> Plan:
    """Freeze the plan while no prune can drop its point: one looks at frozen plans under this lock."""
    catalog = run.target.catalog
    with catalog.lock("apply"):
        catalog.get(plan.recovery_point)
        return run.folder.freeze(plan)


def _plan(run: CutoverRun, request: Request, role: Role, source: str, point: RecoveryPoint) -> Plan:
    return make_plan(
        run.access.name,
        run.access.config,
        source=source,
        target=request.target,
        epoch=role.epoch,
        point=point,
        request=request,
        found=_found(run, point),
    )


def _found(run: CutoverRun, point: RecoveryPoint) -> dict[StepName, list[str]]:
    """Return what the approver is to know."""
    return {
        StepName.APPLY: rehearse(run, point),
        StepName.STOP_TARGET: _running(run),
        StepName.RESTORE: [str(finding) for finding in _findings(run, point) if finding.severity is Severity.WARNING],
    }


def _running(run: CutoverRun) -> list[str]:
    """Return what of Incorta runs at the target, where nothing should: the log and the plan say so."""
    found = running(run.target)
    if found:
        log.warning("Incorta runs at %s and will be stopped: %s", run.target.name, ", ".join(found))
    return [f"{part} runs now" for part in found]


def _source(role: Role, point: RecoveryPoint) -> str:
    """Return the site that gives the role up; the point must be a state of that very site."""
    source = role.fenced if role.state is RoleState.PROMOTING else role.active
    if point.source != source:
        raise PreconditionError(
            f"recovery point {point.id} is a state of {point.source}, but {source} is the active site",
            where=f"group {role.group}",
            fix=f"Nothing was changed. Choose a recovery point that was made from {source}.",
        )
    return point.source


def _role(run: CutoverRun, request: Request) -> Role:
    """Return the role that holds, if it allows a promotion of the target.

    Every site that answers is asked, because a cutover to another site may have happened that the target was not told.

    :raises FencingError: another site's registry is ahead of the target's.
    """
    known = roles_that_answer(run.access)
    role = known.get(run.target.name) or role_at(run.access, run.target)
    if role is None:
        raise registry_empty(run.target.name)
    for site, other in known.items():
        if knows_better(other, role):
            raise FencingError(
                f"the registry of {site} is at epoch {other.epoch} ({other.active} active), "
                f"that of {request.target} at {role.epoch}",
                where=f"group {role.group}",
                fix="Nothing was changed. A cutover to another site happened; see `incorta-dr status`.",
            )
    promoting_role(role, request.target, by=request.requested_by, run_id=run.run_id, at=request.created_at)
    return role


def ensure_in_order(run: CutoverRun, checks: Iterable[tuple[str, Check]]) -> None:
    """Refuse what could not be carried out, with everything that is not in order.

    :raises PreconditionError: names every finding.
    """
    findings = [f"{what}: {finding}" for what, check in checks if (finding := _looked(check))]
    if findings:
        raise PreconditionError(
            f"site {run.target.name} is not ready:\n  " + "\n  ".join(findings),
            where=f"cutover {run.run_id}",
            fix="Nothing was changed. Mend what is named, then trigger it again.",
        )


def _looked(check: Check) -> str | None:
    try:
        return check()
    except DrError as error:
        return str(error)


def _checks(run: CutoverRun, point: RecoveryPoint, mode: Mode) -> Iterator[tuple[str, Check]]:
    target = run.target
    yield from service_checks(run, point)
    if run.access.config.metadata.replica is not None:
        yield "metadata replica", partial(_replica_problem, target)
    yield "foreign keys of other schemas", partial(_foreign_references, target)
    yield "connections of the source", partial(_source_connections, run.access.site(point.source))
    if mode.loses_nothing:
        yield "source", partial(source_problem, run.access, run.access.site(point.source))
    yield "storage", target.target.check
    for doer in run.access.config.traffic:
        yield f"traffic {doer.name}", partial(traffic_problem, run, doer)
    yield "snapshot files", partial(_snapshot_problem, run, point)


def service_checks(run: CutoverRun, point: RecoveryPoint) -> Iterator[tuple[str, Check]]:
    """Yield what must be in order wherever the point is started, with its name: at the target, or in a drill."""
    target = run.target
    yield "ZooKeeper", partial(not_ready, target, Part.ZOOKEEPER)
    yield "metadata database", partial(_database_problem, run, point)
    for node in target.config.nodes:
        yield f"node {node.conn_id}", partial(_release_problem, run, node, point)
    yield "ports of the nodes", partial(unknown_ports, target)
    yield "CMC", partial(_asked, lambda: target.cmc)
    yield "Analytics", partial(_asked, lambda: target.analytics)
    yield "rewrite rules", partial(_rewrite_problem, run, point)


def _asked(connection: Callable[[], object]) -> None:
    """Ask for a connection: one that is missing is an error, which is the finding."""
    connection()


def _source_connections(source: SiteAccess) -> None:
    """The fence needs them; whether the source answers is another matter."""
    _asked(lambda: (source.zookeeper, source.database, source.node_connections(source.config.nodes)))


def _database_problem(run: CutoverRun, point: RecoveryPoint) -> str | None:
    """The server must let us in, take the point's metadata as they are, and let Incorta write.

    A server that an earlier cutover fenced is opened by this one.
    """
    found = _findings(run, point)
    fenced = {"read_only"} if (mark := database_mark(run.target)) and mark.read_only else set[str]()
    closed = set(WRITE_SWITCHES) - fenced
    unwritable = [finding for finding in found if finding.subject in closed]  # whether we may or not
    return "; ".join(map(str, dict.fromkeys([*blockers(found), *unwritable]))) or None


def _replica_problem(target: SiteAccess) -> str | None:
    """Behind the fence the target is cut off from its source, under the account that replicates."""
    with channel_at(target.replica_account) as channel:
        channel.others()
    account, absent = lacking_rights(target.replica_account)
    return "; ".join(f"run {grant.statement(account)}" for grant in absent) or None


def _foreign_references(target: SiteAccess) -> None:
    """No other schema may refer to the tables; a connection that is missing is a finding like others."""
    ensure_alone(target.database)


def _findings(run: CutoverRun, point: RecoveryPoint) -> list[Finding]:
    inventory = point_inventory(run.target.catalog, point)
    return judge_restore(run.access, run.target, inventory, source=point.source)


def _snapshot_problem(run: CutoverRun, point: RecoveryPoint) -> str | None:
    """What the replica holds already must not name the source: behind the fence it would stop the cutover."""
    if run.target.catalog.live_point_id() is None:
        return None
    _, found = scan_files(run.access, run.target, run.access.site(point.source))
    return "; ".join(map(str, found[:SHOWN])) or None


def _rewrite_problem(run: CutoverRun, point: RecoveryPoint) -> str | None:
    """Each rule must name a table of the point."""
    tables = point_inventory(run.target.catalog, point).tables
    absent = [
        f"{rule.table}.{rule.column}"
        for rule in run.access.config.metadata.rewrite
        if rule.table not in tables or rule.column not in tables[rule.table].columns
    ]
    return f"{', '.join(absent)} is not in the recovery point" if absent else None


def _release_problem(run: CutoverRun, config: Node, point: RecoveryPoint) -> str | None:
    """Both sites must run the same release of Incorta."""
    with run.target.node(config) as node:
        version = node.version()
    if version != point.incorta_version:
        return f"runs Incorta {version}, the recovery point was made by {point.incorta_version}"
    return None
