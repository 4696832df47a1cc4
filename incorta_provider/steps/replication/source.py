"""Which site is replicated to a target: the active one, by the epoch registries, asked when a run begins.

It never stands in a topology or in the name of a DAG, so after a cutover the schedules follow the new roles.
"""

from __future__ import annotations

import logging

from incorta_provider.dr.epoch import Role, RoleState, ensure_not_overtaken, replication_epoch, site_to_replicate
from incorta_provider.exceptions import FencingError, SiteIsActive, TransientError
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.roles import copy_role, role_at, roles_that_answer

log = logging.getLogger(__name__)


def active_source(access: GroupAccess, target: SiteAccess) -> tuple[SiteAccess, int]:
    """Return the site to replicate to ``target``, and the epoch under which that may be done.

    The other sites are asked only when the target takes itself for the active one, or when what it says does not hold.
    A site that is a replica by its own registry, and was away while the roles changed, is told of the change. One that
    takes itself for the active site is not: it must be fenced, which is more than to be told.

    :raises SiteIsActive: the target is the active site.
    :raises FencingError: a promotion is under way, the registries disagree, or the target lost the role untold.
    :raises PreconditionError: a registry was never initialised.
    :raises TransientError: a registry that is needed cannot be reached.
    """
    at_target = role_at(access, target)
    try:
        return _source(access, target, at_target)
    except SiteIsActive:
        if at_target is not None:
            ensure_not_overtaken(target.name, at_target, roles_that_answer(access))
        raise
    except (FencingError, TransientError):
        if at_target is None or (newer := _newer_role(access, target, at_target)) is None:
            raise
        log.info("telling %s that %s is active (epoch %d)", target.name, newer.active, newer.epoch)
        copy_role(access, target, newer)
        return _source(access, target, newer)


def _source(access: GroupAccess, target: SiteAccess, at_target: Role | None) -> tuple[SiteAccess, int]:
    source = access.site(site_to_replicate(target.name, at_target))
    return source, replication_epoch(source.name, role_at(access, source), target.name, at_target)


def _newer_role(access: GroupAccess, target: SiteAccess, known: Role) -> Role | None:
    """Return the role that the target was not told of; None when it knows what all know, or was active itself."""
    newest = max(roles_that_answer(access).values(), key=lambda each: each.epoch, default=known)
    is_news = newest.epoch > known.epoch and newest.state is RoleState.STEADY
    return newest if is_news and target.name not in (known.active, newest.fenced) else None
