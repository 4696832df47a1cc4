"""What of Incorta runs at a site, by the ports of its nodes.

Only a refused connection proves that a part is stopped: silence may be a firewall.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

from incorta_provider.connection import ConnectionInfo
from incorta_provider.dr.site import Node
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.services.node import AGENT, CMC, SPARK, node_port, part_of
from incorta_provider.services.ports import Port, probe
from incorta_provider.steps.access import SiteAccess

log = logging.getLogger(__name__)


def running(site: SiteAccess) -> list[str]:
    """Return the parts whose port answers, for example ``loader of newyork_node1``."""
    return [part for part, (state, _) in port_states(site).items() if state is Port.OPEN]


def not_proven_stopped(site: SiteAccess) -> dict[str, str]:
    """Return the parts whose port is not closed, each with what was found there."""
    return {
        part: problem or "still listens"
        for part, (state, problem) in port_states(site).items()
        if state is not Port.CLOSED
    }


def unknown_ports(site: SiteAccess) -> str | None:
    """Return which ports neither answer nor refuse; None when there are none."""
    unknown = [f"{part}: {why}" for part, (state, why) in port_states(site).items() if state is Port.UNKNOWN]
    return "; ".join(unknown) or None


def port_states(site: SiteAccess) -> dict[str, tuple[Port, str]]:
    """Return the state of each port of the site's nodes, and what is wrong with it, by the name of the part."""
    asked = [
        (f"{part} of {node.conn_id}", site.connections(node.conn_id), part)
        for node in site.config.nodes
        for part in parts_of(site, node)
    ]
    with ThreadPoolExecutor(max_workers=len(asked)) as pool:
        states = list(pool.map(lambda each: port_state(each[1], each[2]), asked))
    return dict(zip((name for name, _, _ in asked), states, strict=True))


def agent_is_down(site: SiteAccess, node: Node) -> bool:
    """Tell whether the port of a node's agent refuses: it knows of no service then, and starts none.

    Where that cannot be told, as with a port that is written wrongly, it is not: nothing is left running because of it.
    """
    try:
        return port_state(site.connections(node.conn_id), AGENT)[0] is Port.CLOSED
    except ConfigurationError as error:
        log.warning("whether the agent of %s is down is not known: %s", node.conn_id, error)
        return False


def parts_of(site: SiteAccess, node: Node) -> list[str]:
    """Return what runs on a node and has a port of its own."""
    services = dict.fromkeys(part for service in node.services if (part := part_of(service)))
    others = {CMC: node.conn_id == site.config.cmc.node, SPARK: node.spark, AGENT: True}
    return [*services, *(part for part, is_here in others.items() if is_here)]


def port_state(node: ConnectionInfo, part: str) -> tuple[Port, str]:
    """Return the state of one part's port at a node, and what is wrong with it."""
    node.require("host")
    return probe(node.host, node_port(node, part))
