"""Check that a drill can be carried out, then freeze its plan. Nothing is changed, at the replica or anywhere.

:raises PreconditionError: there is no recovery point, the site is active, or what is not in order; names all of it.
:raises IntegrityError: the recovery point is damaged.
:raises TransientError: an apply is under way.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial

from incorta_provider.dr.plan import Mode, Plan
from incorta_provider.dr.planning import make_plan
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.dr.request import Request, ensure_same_run
from incorta_provider.steps.cutover.request import Check, ensure_in_order, frozen, service_checks
from incorta_provider.steps.drill.run import DrillRun
from incorta_provider.steps.point import ensure_point_whole
from incorta_provider.storage.drill_files import ensure_empty
from incorta_provider.storage.url import local_path


def drill_request(
    run: DrillRun, *, recovery_point: str, reason: str, requested_by: str, requested_at: datetime
) -> Request:
    """Return what was asked for; a drill moves nothing, so nothing has to be typed to confirm it.

    :param recovery_point: an id, or empty for the newest.
    :param requested_at: when the run was triggered; tells two runs of one id apart.
    """
    return Request(
        run_id=run.run_id,
        target=run.site.name,
        mode=Mode.DRILL,
        recovery_point=recovery_point,
        confirmation="",
        reason=reason,
        requested_by=requested_by,
        requested_at=requested_at,
        created_at=run.access.clock(),
    )


def request_drill(run: DrillRun, request: Request) -> Plan:
    """Return the frozen plan of this drill, made now or by a former try."""
    if run.folder.has_plan():
        plan = run.folder.plan()
        ensure_same_run(plan, request)
        return plan
    plan = frozen(run, proposed_drill(run, request))
    run.note("drill.requested", "requested", {"plan_sha256": plan.sha256, "recovery_point": plan.recovery_point})
    return plan


def proposed_drill(run: DrillRun, request: Request) -> Plan:
    """Return the plan that would be frozen, after every check; nothing is written."""
    epoch = run.ensure_inactive()
    point = run.target.catalog.get(request.recovery_point or None)
    ensure_point_whole(run.target.catalog, point)
    ensure_in_order(run, _checks(run, point))
    return make_plan(
        run.access.name,
        run.access.config,
        source=point.source,
        target=run.site.name,
        epoch=epoch,
        point=point,
        request=request,
    )


def _checks(run: DrillRun, point: RecoveryPoint) -> Iterator[tuple[str, Check]]:
    yield from service_checks(run, point)
    if run.place.taken() is None:
        yield "storage", partial(ensure_empty, local_path(run.target.config.storage))
