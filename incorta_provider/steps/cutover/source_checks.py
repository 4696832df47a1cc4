"""Whether the source of a planned cutover can be quiesced and fenced: found out before anything is stopped there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from incorta_provider.exceptions import DrError
from incorta_provider.metadata.fencing import ensure_fence_rights
from incorta_provider.services.cmc import CmcClient
from incorta_provider.services.ports import Port
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.fencing import can_fence_database
from incorta_provider.steps.incorta_release import incorta_release
from incorta_provider.steps.readiness import Part, not_ready
from incorta_provider.steps.roles import role_at
from incorta_provider.steps.running import port_states


def source_problem(access: GroupAccess, source: SiteAccess) -> str | None:
    """Return everything that is in the way; None when nothing is."""
    return "; ".join(problem for check in _checks(access, source) if (problem := _looked(check))) or None


def _checks(access: GroupAccess, source: SiteAccess) -> Iterator[Callable[[], str | None]]:
    yield partial(not_ready, source, Part.ZOOKEEPER)
    yield partial(_role_problem, access, source)
    yield partial(_nodes_problem, source)
    yield partial(unknown_nodes, source)
    yield partial(_storage_problem, access, source)
    yield partial(_database_problem, source)


def _looked(check: Callable[[], str | None]) -> str | None:
    try:
        return check()
    except DrError as error:
        return str(error)


def _role_problem(access: GroupAccess, source: SiteAccess) -> str | None:
    role = role_at(access, source)
    return None if role is not None and role.active == source.name else "its registry does not say that it is active"


def _nodes_problem(source: SiteAccess) -> None:
    """Each node lets us in: the release is asked for at each, and must be one."""
    incorta_release(source)


def unknown_nodes(site: SiteAccess) -> str | None:
    """Return which nodes the CMC knows, when they are more than the topology's: what runs at one of them runs on.

    A CMC that is stopped cannot be asked.
    """
    states = port_states(site)
    if not any(part.startswith("cmc ") and state is Port.OPEN for part, (state, _) in states.items()):
        return None
    with CmcClient.from_connection(site.cmc) as client:
        found = [node.name for node in client.cluster(site.config.cmc.cluster).nodes]
    known = len(site.config.nodes)
    return f"the CMC knows the nodes {', '.join(found)}, the topology {known} of them" if len(found) > known else None


def _storage_problem(access: GroupAccess, source: SiteAccess) -> None:
    source.tree(access.config.replication.exclude).check()


def _database_problem(source: SiteAccess) -> None:
    """The account lets us in and, where it is one that fences, has what a fence takes."""
    with source.database.connect():
        pass
    if can_fence_database(source):
        ensure_fence_rights(source.database)
