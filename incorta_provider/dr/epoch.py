"""Which site is active, and who may act on that.

Each site's ZooKeeper keeps one :class:`Role`. Its ``epoch`` grows by one at every change of the active site, and work
that carries an old epoch is refused. The two copies are compared before every write; a copy that is behind never wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from pydantic import AwareDatetime, Field

from incorta_provider.dr.frozen import FrozenModel
from incorta_provider.exceptions import FencingError, PreconditionError, SiteIsActive


class RoleState(StrEnum):
    """Where a change of roles stands."""

    STEADY = "steady"
    PROMOTING = "promoting"


class Role(FrozenModel):
    """What one site's registry says about the whole protection group.

    :ivar active: the site that may write; while ``state`` is promoting, the one that is about to.
    :ivar fenced: the site that the last change took the role from; None before the first change.
    """

    group: str
    epoch: int = Field(ge=1)
    active: str
    state: RoleState = RoleState.STEADY
    fenced: str | None = None
    changed_by: str
    run_id: str
    changed_at: AwareDatetime


def first_role(group: str, active: str, *, by: str, at: datetime) -> Role:
    """Return the role that both sites start with: epoch 1."""
    return Role(group=group, epoch=1, active=active, changed_by=by, run_id="init", changed_at=at)


def promoting_role(current: Role, target: str, *, by: str, run_id: str, at: datetime) -> Role:
    """Return the role that fences the active site and starts to promote ``target``.

    The same run asking twice gets the same role back, so that a retried step changes nothing. A promotion that another
    run left half done may be taken up by a new one to the *same* target, under an epoch of its own, which stops the old
    run for good.

    :raises FencingError: another run is promoting another site.
    :raises PreconditionError: ``target`` is the active site already.
    """
    if current.state is RoleState.STEADY:
        if current.active == target:
            raise PreconditionError(
                f"{target} is the active site already (epoch {current.epoch})",
                where=f"group {current.group}",
                fix="Nothing to do; choose another target site if this was not meant.",
            )
        fenced: str | None = current.active
    elif current.active != target:
        raise FencingError(
            f"run {current.run_id} is promoting {current.active} (epoch {current.epoch})",
            where=f"group {current.group}",
            fix="Finish or resume that run; `incorta-dr status` shows it.",
        )
    elif current.run_id == run_id:
        return current
    else:
        fenced = current.fenced
    return Role(
        group=current.group,
        epoch=current.epoch + 1,
        active=target,
        state=RoleState.PROMOTING,
        fenced=fenced,
        changed_by=by,
        run_id=run_id,
        changed_at=at,
    )


def steady_role(current: Role, *, by: str, run_id: str, at: datetime) -> Role:
    """Return the role that ends a promotion.

    :raises FencingError: the promotion under way is another run's, or there is none.
    """
    if current.run_id != run_id:
        raise FencingError(
            f"the role belongs to run {current.run_id}, not to {run_id}",
            where=f"group {current.group}",
            fix="Another cutover took over; see `incorta-dr status`.",
        )
    if current.state is RoleState.STEADY:
        return current
    return current.model_copy(update={"state": RoleState.STEADY, "changed_by": by, "changed_at": at})


def given_up(run_id: str) -> str:
    """Return by what name a role is changed when a cutover is given up."""
    return f"abort {run_id}"


def abandoned_role(current: Role, *, by: str, run_id: str, at: datetime) -> Role:
    """Return the role that gives a promotion up: the fenced site is active again, under an epoch of its own.

    The new epoch stops whatever is left of the cutover. Asking twice gives the same role back.

    :param run_id: the cutover that is given up.
    :raises FencingError: that run is not promoting any site.
    """
    name = given_up(run_id)
    if current.run_id == name:
        return current
    if current.run_id != run_id or current.state is not RoleState.PROMOTING or current.fenced is None:
        raise FencingError(
            f"run {run_id} is not promoting any site; {current.active} is {current.state} "
            f"by run {current.run_id} (epoch {current.epoch})",
            where=f"group {current.group}",
            fix="Nothing was changed; only another cutover undoes a promotion that is done.",
        )
    return _next_role(current, active=current.fenced, fenced=None, by=by, run_id=name, at=at)


def site_to_replicate(target: str, role: Role | None) -> str:
    """Return the site that is replicated to ``target``, by what the registry of ``target`` says.

    :raises SiteIsActive: the target is the active site: nothing is replicated to it.
    :raises PreconditionError: the registry was never initialised.
    :raises FencingError: a promotion is under way.
    """
    if role is None:
        raise registry_empty(target)
    if role.active == target and role.state is RoleState.STEADY:
        raise SiteIsActive(f"{target} is the active site (epoch {role.epoch}): nothing is replicated to it")
    ensure_active(role.active, target, role)
    return role.active


def ensure_not_overtaken(site: str, role: Role, others: Mapping[str, Role]) -> None:
    """Refuse to believe a registry when that of another site is ahead: its site was not told that it lost the role.

    :param others: what the registries of all sites that answer say.
    :raises FencingError: names the registry that is ahead.
    """
    for name, other in others.items():
        if other.epoch > role.epoch:
            raise FencingError(
                f"the registry of {site} says that {role.active} is active (epoch {role.epoch}), "
                f"that of {name} says {other.active} (epoch {other.epoch})",
                where=f"ZooKeeper of site {site}",
                fix=f"{site} is not fenced: clear the task `fence` of cutover {other.run_id}.",
            )


def kept_role(current: Role, *, active: str, epoch: int, by: str, run_id: str, at: datetime) -> Role:
    """Return the role that gives a cutover up which has not taken the role yet: the site stays active, by a new epoch.

    The new epoch stops whatever is left of the cutover. Asking twice gives the same role back.

    :param epoch: the one that the cutover was planned under.
    :raises FencingError: another site is active, or the roles changed since.
    """
    name = given_up(run_id)
    if current.run_id == name:
        return current
    ensure_epoch(epoch, current, active=active)
    return _next_role(current, active=active, fenced=current.fenced, by=by, run_id=name, at=at)


def _next_role(current: Role, *, active: str, fenced: str | None, by: str, run_id: str, at: datetime) -> Role:
    """Return the steady role of the next epoch."""
    return Role(
        group=current.group,
        epoch=current.epoch + 1,
        active=active,
        fenced=fenced,
        changed_by=by,
        run_id=run_id,
        changed_at=at,
    )


def replication_epoch(source: str, at_source: Role | None, target: str, at_target: Role | None) -> int:
    """Return the epoch under which ``source`` may be replicated to ``target``.

    Both registries must agree that the source is the active site: the target's copy is what stops an old primary that
    comes back with its schedules running.

    :raises PreconditionError: a registry was never initialised.
    :raises FencingError: a registry names another active site, or the two disagree.
    """
    for site, role in ((source, at_source), (target, at_target)):
        ensure_active(source, site, role)
    if at_source is None or at_target is None or at_source.epoch != at_target.epoch:
        raise FencingError(
            "the two sites disagree about the epoch",
            where=f"ZooKeeper of {source} and {target}",
            fix="See `incorta-dr status`; a change of roles was left half done.",
        )
    return at_source.epoch


def ensure_active(source: str, site: str, role: Role | None) -> None:
    """Refuse to replicate from ``source`` unless the registry of ``site`` says that it is the active site.

    :raises PreconditionError: the registry was never initialised.
    :raises FencingError: the registry names another site, or a promotion is under way.
    """
    if role is None:
        raise registry_empty(site)
    if role.active == source and role.state is RoleState.STEADY:
        return
    remedy = f"{source} must not be replicated; pause this DAG."
    if role.state is RoleState.PROMOTING:
        remedy = f"Finish cutover {role.run_id}, or give it up: `incorta-dr cutover abort --run {role.run_id}`."
    raise FencingError(
        f"the registry says that {role.active} is active (epoch {role.epoch}, {role.state})",
        where=f"ZooKeeper of site {site}",
        fix=remedy,
    )


def ensure_epoch(expected: int, at_target: Role | None, *, active: str) -> None:
    """Refuse to write when the target's registry moved on since the work began.

    :raises FencingError: the epoch or the active site is another.
    """
    if at_target is None or at_target.epoch != expected or at_target.active != active:
        found = "nothing" if at_target is None else f"epoch {at_target.epoch}, active {at_target.active}"
        raise FencingError(
            f"this work began under epoch {expected} with {active} active; the registry now says {found}",
            where="epoch registry",
            fix="Start over: the roles of the sites changed meanwhile.",
        )


def ensure_promoting(role: Role | None, *, run_id: str, target: str) -> Role:
    """Return the role, unless the promotion is over or was taken up by another run.

    :raises FencingError: the registry does not say that ``run_id`` is promoting ``target``.
    """
    if role is None or role.run_id != run_id or role.active != target:
        found = "nothing" if role is None else f"epoch {role.epoch}, {role.active} by run {role.run_id}"
        raise FencingError(
            f"run {run_id} is not the one that promotes {target}; the registry says {found}",
            where="epoch registry",
            fix="It was given up, or another cutover took over; `incorta-dr status` shows which.",
        )
    return role


def registry_empty(site: str) -> PreconditionError:
    """Return the error that tells to initialise the registry of a site."""
    return PreconditionError(
        "the epoch registry is empty", where=f"ZooKeeper of site {site}", fix="Run `incorta-dr epoch init` once."
    )
