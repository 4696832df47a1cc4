"""Stop what Incorta runs at a site, and prove it: the exit status of a documented script is no proof, a closed port is.

:raises TransientError: a node cannot be reached, or a part is not stopped, or not proven to be.
:raises ConfigurationError: a connection of a node is wrong.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from incorta_provider.dr.site import Node
from incorta_provider.exceptions import DrError, TransientError
from incorta_provider.steps.access import SiteAccess
from incorta_provider.steps.running import agent_is_down, not_proven_stopped

log = logging.getLogger(__name__)

T = TypeVar("T")


def stop_site(site: SiteAccess, key: str) -> None:
    """Stop services, CMC and agents of all nodes; "stopped already" is a pass.

    :param key: on whose behalf; a script of the same key is not started twice.
    """
    on_nodes(site.config.nodes, lambda node: stop_services(site, node, key))


def ensure_stopped(site: SiteAccess, *, fix: str) -> None:
    """Refuse to go on while a port of the site does not refuse a connection.

    :param fix: what to do next.
    """
    if left := not_proven_stopped(site):
        raise TransientError(
            "not proven to be stopped: " + "; ".join(f"{part}: {why}" for part, why in left.items()),
            where=f"site {site.name}",
            fix=fix,
        )


def on_nodes(nodes: Sequence[Node], action: Callable[[Node], T]) -> list[T]:
    """Do the same on several nodes at once, and return the results in their order."""
    if not nodes:
        return []
    with ThreadPoolExecutor(max_workers=len(nodes)) as pool:
        return list(pool.map(action, nodes))


def attempt_all(parts: Mapping[str, Callable[[], object]]) -> dict[str, str | None]:
    """Do parts at the same time; return why each failed, if it did: it keeps no other part from being done."""
    if not parts:
        return {}
    with ThreadPoolExecutor(max_workers=len(parts)) as pool:
        return dict(zip(parts, pool.map(_attempt, parts.values()), strict=True))


def stop_services(site: SiteAccess, config: Node, run_id: str) -> None:
    """Stop what Incorta runs on one node: services and CMC at the same time, the agent that knows them, then Spark.

    An agent whose port refuses knows of nothing, and its script runs beside the others. "Stopped already" is a pass.

    :raises TransientError: says which parts are not stopped, and why; each of the others was stopped anyway.
    """
    with site.node(config, run_id) as node:
        parts: dict[str, Callable[[], None]] = {
            service: partial(node.stop_service, service) for service in reversed(config.services)
        }
        if config.conn_id == site.config.cmc.node:
            parts["CMC"] = node.stop_cmc
        agent = {"node agent": node.stop_node}
        at_once, behind = (parts | agent, {}) if agent_is_down(site, config) else (parts, agent)
        reasons = attempt_all(at_once) | attempt_all(behind)
        if config.spark:
            reasons |= attempt_all({"Spark": node.stop_spark})
    failed = {part: reason for part, reason in reasons.items() if reason}
    if failed:
        raise TransientError(
            "not stopped: " + "; ".join(f"{part}: {reason}" for part, reason in failed.items()),
            where=f"node {config.conn_id}",
            fix="Stop it at the node by hand, then clear this task.",
        )


def _attempt(part: Callable[[], object]) -> str | None:
    """Return why a part failed, whatever it is; None when it did not."""
    try:
        part()
    except DrError as error:
        log.warning("not done: %s", error)
        return error.what
    except Exception as error:
        log.exception("a part failed in a way of its own")
        return f"{type(error).__name__}: {error}"
    return None
