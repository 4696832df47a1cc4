"""Give the role back to a fenced site when the site that was being promoted is lost: on a person's word.

A cutover that can be given up is given up by :mod:`incorta_provider.steps.cutover.abort`, which needs the target. This
is for the day on which the target died in the middle: the old site is whole, fenced, and nobody has a service. Whoever
types the confirmation knows that the other site is off; when it comes back, the abort of its cutover stops what it
started.

:raises PreconditionError: the site was not fenced by a promotion that is under way, the target's registry answers, or
    the word is not typed out; nothing was changed.
:raises FencingError: the role changed meanwhile.
:raises TransientError: the site's own registry cannot be asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from incorta_provider.dr.epoch import Role, RoleState, abandoned_role
from incorta_provider.exceptions import DrError, PreconditionError
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.fencing import unfence_database
from incorta_provider.steps.roles import change_role, role_at, roles_that_answer, tell


@dataclass(frozen=True)
class TakenBack:
    """A role that a site has again.

    :ivar run_id: the cutover that had taken it.
    :ivar lost: the site that was being promoted.
    :ivar not_told: sites whose registry did not take it, with the reason.
    :ivar database_left: why the site's database is fenced still; empty when it is open.
    """

    role: Role
    run_id: str
    lost: str
    not_told: dict[str, str]
    database_left: str


def lost_phrase(site: str) -> str:
    """Return what must be typed to say that a site is lost.

    >>> lost_phrase("newyork")
    'newyork IS OFF'
    """
    return f"{site} IS OFF"


def take_back(access: GroupAccess, site: SiteAccess, *, confirmation: str, by: str) -> TakenBack:
    """Make a fenced site active again, under a new epoch, and open its database. Safe to repeat."""
    known = role_at(access, site)
    run_id, lost = _promotion(site, known)
    if lost in roles_that_answer(access):
        raise PreconditionError(
            f"the registry of {lost} answers: that site is not lost",
            where=f"group {access.name}",
            fix=f"Give the cutover up: `incorta-dr cutover abort --group {access.name} --run {run_id}`.",
        )
    if confirmation != (phrase := lost_phrase(lost)):
        raise PreconditionError(
            f"cutover {run_id} is promoting {lost}, which does not answer; it may come back and go on",
            where=f"group {access.name}",
            fix=f"Nothing was changed. If {lost} is shut off, add: --confirm '{phrase}'",
        )
    role = change_role(access, site, partial(abandoned_role, by=by, run_id=run_id, at=access.clock()))
    not_told = tell(access, [name for name in access.config.sites if name != site.name], role)
    database_left = _open(site)
    site.ledger.append(
        "cutover.taken_back",
        at=access.clock(),
        key=f"{run_id}:taken back",
        group=access.name,
        run_id=run_id,
        actor=by,
        details={"epoch": role.epoch, "active": role.active, "lost": lost, "not_told": not_told},
    )
    return TakenBack(role, run_id, lost, not_told, database_left)


def _promotion(site: SiteAccess, role: Role | None) -> tuple[str, str]:
    """Return the cutover that took the role from the site, and the site that it is promoting."""
    if role is None or role.fenced != site.name or role.state is not RoleState.PROMOTING:
        found = "nothing" if role is None else f"{role.active} is active, {role.state} (epoch {role.epoch})"
        raise PreconditionError(
            f"no promotion that is under way took the role from {site.name}; its registry says: {found}",
            where=f"ZooKeeper of site {site.name}",
            fix="Nothing was changed; see `incorta-dr status`.",
        )
    return role.run_id, role.active


def _open(site: SiteAccess) -> str:
    try:
        unfence_database(site, events=True)
    except DrError as error:
        return str(error)
    return ""
