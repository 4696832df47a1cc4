"""Read and initialise the epoch registries of a group's sites.

:raises PreconditionError: a registry was never initialised, or was already with another role.
:raises TransientError: a ZooKeeper ensemble cannot be reached.
"""

from __future__ import annotations

from incorta_provider.coordination.role_registry import RoleRegistry
from incorta_provider.coordination.zookeeper import connect
from incorta_provider.dr.epoch import Role, first_role
from incorta_provider.exceptions import PreconditionError
from incorta_provider.steps.access import GroupAccess, SiteAccess


def role_at(access: GroupAccess, site: SiteAccess) -> Role | None:
    """Return what the registry of one site says; None before it was initialised."""
    with connect(site.zookeeper) as session:
        stored = RoleRegistry(session, access.name).read()
    return stored.role if stored else None


def initialise_roles(access: GroupAccess, *, active: str, by: str) -> dict[str, Role]:
    """Record epoch 1 with ``active`` at every site, and return what each registry says then.

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
                fix="Nothing was changed. Roles change by a cutover only.",
            )
    role = next(iter(present.values()), None) or first_role(access.name, active, by=by, at=access.clock())
    return {name: known[name] or _initialise(access, access.site(name), role) for name in access.config.sites}


def _initialise(access: GroupAccess, site: SiteAccess, role: Role) -> Role:
    with connect(site.zookeeper) as session:
        return RoleRegistry(session, access.name).init(role).role
