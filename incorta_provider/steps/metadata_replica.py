"""The replica of a site's metadata: set it up, say how it is, remove it.

:raises ConfigurationError: the topology does not ask for one.
:raises PreconditionError: the site is the active one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from incorta_provider.dr.epoch import RoleState
from incorta_provider.dr.metadata_rules import ReplicaRules
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.dr.replica import ReplicaState, lacking, problems, same_position
from incorta_provider.exceptions import ConfigurationError, DrError, PreconditionError
from incorta_provider.metadata.replica import set_up as metadata_replica
from incorta_provider.metadata.replica.channel import tables_of_schema
from incorta_provider.metadata.replica.opening import channel_at
from incorta_provider.metadata.replica.point import ReplicaPair
from incorta_provider.metadata.snapshot import position_now
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.point import ensure_point_whole, point_inventory
from incorta_provider.steps.roles import role_at
from incorta_provider.steps.running import not_proven_stopped

FOLDER = "replica-setup"
"""Below the catalog: the record of a restore while it is under way."""

LOOKED_AT = 5
"""How many points are compared with a replica's position: it is at the newest, or at one that was not finished."""


@dataclass(frozen=True, slots=True)
class ReplicaReport:
    """How a replica is.

    :ivar facts: in words, a line each.
    :ivar problems: what keeps recovery points from being taken from it; meanwhile they are dumps of the source.
    """

    facts: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def replica_rules(access: GroupAccess) -> ReplicaRules:
    """Return what the topology says about replicas."""
    if (rules := access.config.metadata.replica) is None:
        raise ConfigurationError(
            f"group {access.name} has no metadata.replica: its metadata are dumped and restored",
            where="topology",
            fix="Add metadata.replica to the group, and replica_conn_id to each site's metadata.",
        )
    return rules


def replica_pair(source: SiteAccess, target: SiteAccess) -> ReplicaPair:
    """Return both servers with their accounts."""
    return ReplicaPair(source.database, source.replica_account, target.database, target.replica_account)


def set_up_replica(access: GroupAccess, site: SiteAccess, point_id: str | None, *, by: str, run_id: str) -> str:
    """Make a site's server a replica of the active site's, beginning with a recovery point; return what was done.

    :param point_id: of a point in the site's catalog; None for the newest.
    """
    replica_rules(access)
    catalog = site.catalog
    point = catalog.get(point_id)
    _ensure_follows(access, site, point)
    ensure_point_whole(catalog, point)
    inventory = point_inventory(catalog, point)
    restored = metadata_replica.set_up(
        replica_pair(access.site(point.source), site),
        catalog.dump_path(point.id),
        inventory,
        catalog.root / FOLDER,
        sha256=point.dump_sha256,
    )
    _note(access, site, "metadata.replica.set_up", by, run_id, {"point": point.id, "gtid": inventory.gtid})
    what = "was restored to" if restored else "is already what is in"
    return f"{site.name} {what} {point.id} and replicates {point.source}, held at {inventory.gtid}"


def remove_replica(access: GroupAccess, site: SiteAccess, *, by: str, run_id: str) -> bool:
    """Stop a site's replication and forget it; return whether there was one."""
    replica_rules(access)
    if known := metadata_replica.remove(site.replica_account):
        _note(access, site, "metadata.replica.removed", by, run_id, {})
    return known


def active_site(access: GroupAccess, site: SiteAccess) -> SiteAccess:
    """Return the active site, as a site's own registry knows it; before the first role, the topology's primary."""
    role = role_at(access, site)
    return access.site(access.config.primary if role is None else role.active)


def replica_report(access: GroupAccess, site: SiteAccess, source: SiteAccess) -> ReplicaReport:
    """Return how a site's replica is.

    :param source: the active site.
    :raises DrError: the replica's server cannot be asked.
    """
    replica_rules(access)
    with channel_at(site.replica_account) as channel:
        state = channel.state()
    if state is None:
        return ReplicaReport(problems=["no replica is set up; `incorta-dr metadata replica setup`"])
    account, tables = source.replica_account, tables_of_schema(source.config.metadata.schema_name)
    found = problems(state, source=f"{account.host}:{account.port}", tables=tables)
    return ReplicaReport([*_facts(access, site, state), _behind(source, state)], found)


def _facts(access: GroupAccess, site: SiteAccess, state: ReplicaState) -> Iterator[str]:
    yield f"reads from {state.source}: {'connected' if state.receiving else 'NOT connected'}"
    held = _held_at(site, state)
    if held is None:
        yield f"data at {state.applied}, which is no recovery point's position"
    else:
        yield f"data at {state.applied}, recovery point {held.id}, {held.age(access.clock()):.0f} s old"
    if not state.receive_error:
        yield f"{lacking(state.applied, state.received)} transaction(s) received and held back for the next point"


def _held_at(site: SiteAccess, state: ReplicaState) -> RecoveryPoint | None:
    """Return the one of the newest points whose metadata the replica holds."""
    same = partial(same_position, state.applied, own=state.own)
    newest = reversed(site.catalog.points()[-LOOKED_AT:])
    return next((p for p in newest if same(point_inventory(site.catalog, p).gtid)), None)


def _behind(source: SiteAccess, state: ReplicaState) -> str:
    """Say how many transactions of the source have not arrived, as far as it can be asked."""
    try:
        now = position_now(source.database)
    except DrError as error:
        return f"the source cannot be asked how far it is: {error.what}"
    return f"{lacking(state.received, now)} transaction(s) of {source.name} not received yet"


def _ensure_follows(access: GroupAccess, site: SiteAccess, point: RecoveryPoint) -> None:
    """Refuse to make a site follow another one than the active one, or the active one itself.

    The point must be of the epoch that holds: a site that was active since has metadata that nothing else keeps, until
    replication to it has set them aside.
    """
    role, source = role_at(access, site), point.source
    if role is None or role.state is not RoleState.STEADY or role.active != source or source == site.name:
        state = "not known" if role is None else f"{role.state}, active is {role.active}"
        raise PreconditionError(
            f"{site.name} is not made a replica of {source}: the role is {state}",
            where=f"group {access.name}",
            fix="Name a DR site and a recovery point of the active site, when no cutover is under way.",
        )
    if point.epoch != role.epoch:
        raise PreconditionError(
            f"recovery point {point.id} is of epoch {point.epoch}, now it is {role.epoch}",
            where=f"group {access.name}",
            fix=f"Let replication make a recovery point at {site.name} first.",
        )
    if left := not_proven_stopped(site):
        raise PreconditionError(
            f"Incorta at {site.name} is not proven to be stopped: {', '.join(left)}",
            where=f"site {site.name}",
            fix="Stop it; it would write into what is replaced.",
        )


def _note(access: GroupAccess, site: SiteAccess, event: str, by: str, run_id: str, details: dict[str, Any]) -> None:
    at = access.clock()
    site.ledger.append(
        event,
        at=at,
        key=f"{event}:{at.isoformat()}",
        group=access.name,
        run_id=run_id,
        actor=by,
        details=details,
    )
