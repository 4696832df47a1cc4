"""What the pages show, as plain data: read from the catalog, because Airflow's own database may be what was lost."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from incorta_provider.dr.epoch import Role, RoleState
from incorta_provider.dr.ledger import LedgerEntry
from incorta_provider.dr.report import Report
from incorta_provider.exceptions import DrError
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.cutover.report import ledger_lines, report_so_far
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.roles import roles_that_answer
from incorta_provider.steps.upkeep import upkeep_lines
from incorta_provider.storage.records.pins import Pins

log = logging.getLogger(__name__)

SHOWN_POINTS = 20

View = dict[str, Any]


def group_view(access: GroupAccess) -> View:
    """Return one group with the newest recovery points at each of its sites."""
    now = access.clock()
    role = _newest_role(access)
    sites = []
    for name in access.config.sites:
        catalog = access.site(name).catalog
        points = catalog.points()
        sites.append(
            {
                "name": name,
                "role": _role_of(name, role),
                "points": list(reversed(points[-SHOWN_POINTS:])),
                "count": len(points),
                "age": round(points[-1].age(now)) if points else None,
                "live": catalog.live_point_id(),
                "pins": {pin.point: pin for pin in Pins(catalog).all()},
                "upkeep": list(upkeep_lines(access.site(name))),
            }
        )
    return {"name": access.name, "rpo_seconds": access.config.objectives.rpo_seconds, "sites": sites}


def _newest_role(access: GroupAccess) -> Role | None:
    """Return the role of the registry that is furthest ahead; None when nobody can tell: points are shown then, too,
    because that is when they are needed.
    """
    try:
        return max(roles_that_answer(access).values(), key=_progress, default=None)
    except DrError as error:
        log.warning("the active site of %s is not known: %s", access.name, error)
        return None


def _progress(role: Role) -> tuple[int, bool]:
    """A site that was not told of the end of a promotion is behind one that was, under the same epoch."""
    return role.epoch, role.state is RoleState.STEADY


def _role_of(site: str, role: Role | None) -> str:
    if role is None or role.active != site:
        return ""
    return "active site" if role.state is RoleState.STEADY else "being promoted"


def run_view(access: GroupAccess, run_id: str) -> Iterator[View]:
    """Yield what a run made at each site: its recovery point, its cutover, and its lines in the ledger."""
    for name in access.config.sites:
        site = access.site(name)
        entries = [entry for entry in site.ledger.entries() if entry.run_id == run_id]
        if entries:
            yield {
                "group": access.name,
                "site": name,
                "point": next((point for point in site.catalog.points() if point.run_id == run_id), None),
                "report": _report_of(access, site, run_id),
                "run_id": run_id,
                "entries": entries,
            }


def _report_of(access: GroupAccess, site: SiteAccess, run_id: str) -> Report | None:
    run = CutoverRun(access, site, run_id, actor="")
    return report_so_far(run) if run.folder.has_plan() else None


def point_view(site: SiteAccess, point_id: str) -> View:
    """Return one recovery point and what its run wrote to the ledger.

    :raises PreconditionError: there is no such point.
    """
    point = site.catalog.get(point_id)
    entries = [entry for entry in site.ledger.entries() if entry.run_id == point.run_id]
    live = site.catalog.live_point_id() == point.id
    return {"point": point, "entries": entries, "live": live, "pin": Pins(site.catalog).of(point.id)}


def cutover_view(access: GroupAccess, site: str, run_id: str) -> tuple[Report, list[LedgerEntry]]:
    """Return the report of one cutover, as it is by now, with its lines in the ledger.

    :raises PreconditionError: there is no such cutover.
    """
    run = CutoverRun(access, access.site(site), run_id, actor="")
    return report_so_far(run), ledger_lines(run)[0]
