"""Read and initialise the epoch registries of a group's sites.

:raises PreconditionError: a registry was never initialised, or was already with another role.
:raises TransientError: a ZooKeeper ensemble cannot be reached.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from incorta_provider.coordination.ensemble import ensemble_state, quorum_problem
from incorta_provider.coordination.role_registry import RoleRegistry
from incorta_provider.coordination.session import Session
from incorta_provider.coordination.zookeeper import connect
from incorta_provider.dr.epoch import Role, RoleState, first_role, registry_empty
from incorta_provider.exceptions import (
    DrError,
    FencingError,
    IntegrityError,
    PreconditionError,
    SiteIsActive,
    TransientError,
)
from incorta_provider.steps.access import GroupAccess, SiteAccess

log = logging.getLogger(__name__)


def role_at(access: GroupAccess, site: SiteAccess) -> Role | None:
    """Return what the registry of one site says; None before it was initialised.

    What a kept session does not answer is asked once more: its member may be the one that has just been lost.
    """
    asked = False
    try:
        with _session(access, site) as session:
            asked = True
            return _role(access, session)
    except TransientError as error:
        if not (asked and access.kept.is_keeping):
            raise
        log.info("the epoch registry of %s is asked over another session: %s", site.name, error)
    with _session(access, site) as session:
        return _role(access, session)


def _session(access: GroupAccess, site: SiteAccess) -> AbstractContextManager[Session]:
    """Lend the session that is kept, unless it is cut off: kazoo waits ever longer before it tries again."""
    return access.kept.lend(site.zookeeper, connect, usable=lambda session: session.is_connected)


def _role(access: GroupAccess, session: Session) -> Role | None:
    stored = RoleRegistry(session, access.name).read()
    return stored.role if stored else None


def change_role(access: GroupAccess, site: SiteAccess, change: Callable[[Role], Role]) -> Role:
    """Replace the role at one site's registry by what ``change`` makes of it, unless it changed meanwhile."""
    with connect(site.zookeeper) as session:
        registry = RoleRegistry(session, access.name)
        stored = registry.read()
        if stored is None:
            raise registry_empty(site.name)
        return registry.compare_and_set(stored, change(stored.role)).role


def ensure_replica(access: GroupAccess, site: SiteAccess) -> None:
    """Leave the active site alone: its recovery points and its files are not looked after as those of a replica.

    A registry that cannot be asked keeps no site from being looked after: that changes nothing that is in use.

    :raises SiteIsActive: it is the active site.
    """
    try:
        role = role_at(access, site)
    except TransientError as error:
        log.warning("whether %s is the active site is not known: %s", site.name, error)
        return
    if role is not None and role.active == site.name and role.state is RoleState.STEADY:
        raise SiteIsActive(
            f"{site.name} is the active site (epoch {role.epoch}): "
            "its recovery points stay as they are until it is replicated to again"
        )


def copy_role(access: GroupAccess, site: SiteAccess, role: Role) -> None:
    """Tell a site's registry what was decided elsewhere.

    The ensemble is asked for its quorum first: a site that is gone answers that at once, where opening a session would
    wait for its time-out while the clock of the RTO runs.

    :raises FencingError: the site was told of another change of roles meanwhile, and may be active by that; its copy is
        left alone.
    """
    if problem := quorum_problem(ensemble_state(site.zookeeper)):
        raise TransientError(problem, where=f"ZooKeeper of site {site.name}", fix="Is the site up?")
    with connect(site.zookeeper) as session:
        registry = RoleRegistry(session, access.name)
        stored = registry.read()
        if stored is None:
            registry.init(role)
        elif knows_better(known := stored.role, role):
            raise FencingError(
                f"its registry is at epoch {known.epoch}, {known.active} active by run {known.run_id}",
                where=f"ZooKeeper of site {site.name}",
                fix="Find out which of the two cutovers holds before both sites write; see `incorta-dr status`.",
            )
        else:
            registry.compare_and_set(stored, role)


def knows_better(known: Role, new: Role) -> bool:
    """Tell whether a registry is ahead, or was told of another change of roles under the same epoch."""
    return known.epoch > new.epoch or (known.epoch == new.epoch and known.run_id != new.run_id)


def tell(access: GroupAccess, sites: Iterable[str], role: Role, *, refuse_others: bool = False) -> dict[str, str]:
    """Tell the registries of several sites; return which could not be told, and why.

    :raises FencingError: ``refuse_others``, and a site was told of another change of roles.
    """
    not_told = {}
    for name in sites:
        try:
            copy_role(access, access.site(name), role)
        except DrError as error:
            if refuse_others and isinstance(error, FencingError):
                raise
            not_told[name] = error.what
            log.warning("the epoch registry of %s was not told: %s", name, error)
    return not_told


def roles_that_answer(access: GroupAccess) -> dict[str, Role]:
    """Return the role that each site's registry tells, for the sites that can be asked and whose answer makes sense."""
    found = {}
    for name in access.config.sites:
        site = access.site(name)
        try:
            if quorum_problem(ensemble_state(site.zookeeper)) is None and (role := role_at(access, site)) is not None:
                found[name] = role
        except (TransientError, IntegrityError) as error:
            log.warning("the epoch registry of %s was not read: %s", name, error)
    return found


def initialise_roles(access: GroupAccess, *, active: str, by: str) -> dict[str, Role]:
    """Record epoch 1 with ``active`` at every site, make their catalogs, and return what each registry says then.

    Sites that were initialised before keep their role: all must agree on who is active, or none is written.
    """
    access.site(active)
    known = {name: role_at(access, access.site(name)) for name in access.config.sites}
    present = {name: role for name, role in known.items() if role}
    for name, role in present.items():
        if role.active != active or role.epoch != 1:
            raise PreconditionError(
                f"the epoch registry says that {role.active} is active (epoch {role.epoch})",
                where=f"ZooKeeper of site {name}",
                fix="Nothing was changed. Only a cutover changes roles.",
            )
    for name in access.config.sites:
        _make_stores(access, access.site(name))
    role = next(iter(present.values()), None) or first_role(access.name, active, by=by, at=access.clock())
    return {name: known[name] or _initialise(access, access.site(name), role) for name in access.config.sites}


def adopt_role(access: GroupAccess, site: SiteAccess, *, confirmation: str, by: str) -> Role:
    """Give an empty registry its role back while another site may be gone, and return it; also mark a new catalog.

    The other registries are asked first, and the one that is furthest ahead is right. When none answers, the newest
    recovery point tells source and epoch; a person must confirm that no cutover happened since.

    :param confirmation: what was typed: see :func:`adoption_phrase`; not needed when another registry answers.
    :raises PreconditionError: registry and catalog are there already, there is no recovery point, or the confirmation
        is missing.
    """
    if (own := role_at(access, site)) is not None and _has_catalog(site):
        raise PreconditionError(
            f"the registry has a role: {own.active} is active (epoch {own.epoch})",
            where=f"ZooKeeper of site {site.name}",
            fix="Nothing was changed. Only a cutover changes roles.",
        )
    known = roles_that_answer(access).values()
    role = max(known, key=lambda each: each.epoch, default=None) or _role_of_point(access, site, confirmation, by)
    _make_stores(access, site)
    return own or _initialise(access, site, role)


def _make_stores(access: GroupAccess, site: SiteAccess) -> None:
    """Mark catalog and target as this group's at this site."""
    site.catalog.initialise(access.name, site.name)
    site.target.initialise()


def _has_catalog(site: SiteAccess) -> bool:
    try:
        site.catalog.ensure_there()
    except PreconditionError:
        return False
    return True


def _role_of_point(access: GroupAccess, site: SiteAccess, confirmation: str, by: str) -> Role:
    point = site.catalog.get(None)
    if confirmation != (phrase := adoption_phrase(point.id)):
        raise PreconditionError(
            f"no other registry answers; recovery point {point.id} says that {point.source} is active "
            f"(epoch {point.epoch})",
            where=f"ZooKeeper of site {site.name}",
            fix=f"If no cutover happened since then, add: --confirm '{phrase}'",
        )
    return first_role(access.name, point.source, by=by, at=access.clock()).model_copy(update={"epoch": point.epoch})


def adoption_phrase(point_id: str) -> str:
    """Return what must be typed to take the role from a recovery point."""
    return f"TRUST {point_id}"


def _initialise(access: GroupAccess, site: SiteAccess, role: Role) -> Role:
    with connect(site.zookeeper) as session:
        return RoleRegistry(session, access.name).init(role).role
