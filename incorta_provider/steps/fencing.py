"""Fence the metadata database of a site, and open it again.

:raises DrError: the database cannot be asked, or a part of it is not as it should be then; the error names it.
"""

from __future__ import annotations

from typing import Any

from incorta_provider.dr.fence_mark import FenceMark
from incorta_provider.metadata.fencing import fence_mark, fence_schema, unfence_schema
from incorta_provider.steps.access import GroupAccess, SiteAccess

NOT_FENCED = "not fenced: the topology names no metadata.fence_conn_id"


def can_fence_database(site: SiteAccess) -> bool:
    """Tell whether there is an account for it."""
    return site.config.metadata.fence_conn_id is not None


def fence_database(access: GroupAccess, site: SiteAccess, *, run_id: str, by: str) -> dict[str, Any]:
    """Lock who may write the site's schema, and return what was done, for the report.

    :param run_id: the cutover that took the role from the site.
    """
    mark = FenceMark(group=access.name, run_id=run_id, by=by, at=access.clock())
    login = site.connections(site.config.metadata.conn_id).login
    done = fence_schema(site.database, mark, login=login)
    return {
        "accounts": done.accounts,
        "administrators": done.administrators,
        "events": done.events,
        "read_only": done.read_only,
    }


def database_mark(site: SiteAccess) -> FenceMark | None:
    """Return by whom a site's database is fenced; None when it is not, or when nothing here can fence it."""
    return fence_mark(site.database) if can_fence_database(site) else None


def unfence_database(site: SiteAccess, *, events: bool) -> FenceMark | None:
    """Open a site's database again, and return what had been changed by which cutover; None when it was open.

    :param events: whether events that the fence switched off are switched on again. Not so where the metadata were
        replaced since: a promotion switches on those of the recovery point.
    """
    return unfence_schema(site.database, events=events) if can_fence_database(site) else None
