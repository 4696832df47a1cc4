"""Which site is replicated to a target: the active one, by the epoch registries, asked when a run begins.

It never stands in a topology or in the name of a DAG, so after a cutover the schedules follow the new roles.
"""

from __future__ import annotations

from incorta_provider.dr.epoch import ensure_not_overtaken, replication_epoch, site_to_replicate
from incorta_provider.exceptions import SiteIsActive
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.roles import role_at, roles_that_answer


def active_source(access: GroupAccess, target: SiteAccess) -> tuple[SiteAccess, int]:
    """Return the site to replicate to ``target``, and the epoch under which that may be done.

    The other sites are asked only when the target takes itself for the active one: it may not have been told.

    :raises SiteIsActive: the target is the active site.
    :raises FencingError: a promotion is under way, the registries disagree, or the target lost the role untold.
    :raises PreconditionError: a registry was never initialised.
    :raises TransientError: a registry that is needed cannot be reached.
    """
    at_target = role_at(access, target)
    try:
        source = access.site(site_to_replicate(target.name, at_target))
    except SiteIsActive:
        if at_target is not None:
            ensure_not_overtaken(target.name, at_target, roles_that_answer(access))
        raise
    return source, replication_epoch(source.name, role_at(access, source), target.name, at_target)
