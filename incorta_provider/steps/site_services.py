"""Start what Incorta runs at a site, part by part, in the order that Incorta documents.

The exit status of a documented script is no proof, so starting a part claims nothing: who starts it waits for what is
really ready, by :func:`start_site` here or by the sensors of a cutover.

:raises TransientError: a node cannot be reached, or a part does not become ready in time; says what it says, with the
    end of its log.
:raises ConfigurationError: a connection of a node is wrong.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial

from incorta_provider.dr.site import Node
from incorta_provider.exceptions import DrError, TransientError
from incorta_provider.services.node import IncortaNode
from incorta_provider.steps.access import SiteAccess
from incorta_provider.steps.readiness import Part, not_ready, services_of
from incorta_provider.steps.site_stop import on_nodes

log = logging.getLogger(__name__)

READY_SECONDS = 1800.0
"""How long a part may take until it is ready."""

MIN_PAUSE, MAX_PAUSE = 0.1, 2.0
"""Seconds between two looks: a site that is up in seconds is asked often, one that takes half an hour is left alone."""

LOG_LINES = 15

_SERVICES = (Part.LOADER, Part.ANALYTICS)

Start = Callable[[IncortaNode, Node], None]


def start_part(site: SiteAccess, part: Part, key: str) -> list[str]:
    """Start one part on its nodes, and return their connections' ids; "runs already" is a pass.

    :param key: on whose behalf; a script of the same key is not started twice.
    """
    if part is Part.ZOOKEEPER:
        _ensure_quorum(site)
        return []
    return on_nodes(_nodes_of(site, part), partial(_start_on, site, _STARTS[part], key))


def start_site(site: SiteAccess, key: str) -> None:
    """Start the whole site, each part when the one before it is ready."""
    for part in Part:
        start_part(site, part, key)
        wait_until_ready(site, part)


def wait_until_ready(site: SiteAccess, part: Part, seconds: float = READY_SECONDS) -> None:
    """Wait until a part is really ready; the log has each reason why it is not yet."""
    began, told = time.monotonic(), ""
    while problem := not_ready(site, part):
        waited = time.monotonic() - began
        if problem != told:
            log.info("%s of %s after %.1f s: %s", part, site.name, waited, problem)
        told = problem
        if waited > seconds:
            raise TransientError(
                f"{part} is not ready after {seconds:g} s: {problem}{log_tails(site, part)}",
                where=f"site {site.name}",
                fix="Look at its logs at the node, fix the cause, and repeat this.",
            )
        time.sleep(min(MAX_PAUSE, max(MIN_PAUSE, waited / 20)))
    log.info("%s of %s is ready", part, site.name)


def log_tails(site: SiteAccess, part: Part) -> str:
    """Return the ends of the logs of a part's services, for an error or a log: empty when there are none to read.

    What a log says goes where many can read it, so the passwords that the site's connections hold are blotted out.
    """
    found = []
    for config in _nodes_of(site, part):
        try:
            with site.node(config) as node:
                for service in services_of(config, loader=part is Part.LOADER) if part in _SERVICES else ():
                    found.append((f"{service} of {config.conn_id}", node.service_log(service, LOG_LINES)))
        except DrError as error:
            found.append((config.conn_id, str(error)))
    return "".join(f"\n{name}:\n{_blotted(site, text.rstrip())}" for name, text in found if text)


def _blotted(site: SiteAccess, text: str) -> str:
    for conn_id in site.config.conn_ids:
        if password := site.connections(conn_id).password:
            text = text.replace(password, "***")
    return text


def _ensure_quorum(site: SiteAccess) -> None:
    if problem := not_ready(site, Part.ZOOKEEPER):
        raise TransientError(
            problem, where=f"ZooKeeper of {site.name}", fix="Start its members; this task then goes on."
        )


def _nodes_of(site: SiteAccess, part: Part) -> list[Node]:
    match part:
        case Part.CMC:
            return [node for node in site.config.nodes if node.conn_id == site.config.cmc.node]
        case Part.LOADER | Part.ANALYTICS:
            return [node for node in site.config.nodes if services_of(node, loader=part is Part.LOADER)]
        case _:
            return list(site.config.nodes)


def _start_agent(node: IncortaNode, config: Node) -> None:
    node.start_node()
    if config.spark:
        node.start_spark()


def _start_services(node: IncortaNode, config: Node, *, loader: bool) -> None:
    for service in services_of(config, loader=loader):
        node.start_service(service)


_STARTS: Mapping[Part, Start] = {
    Part.NODES: _start_agent,
    Part.CMC: lambda node, _: node.start_cmc(),
    Part.LOADER: lambda node, config: _start_services(node, config, loader=True),
    Part.ANALYTICS: lambda node, config: _start_services(node, config, loader=False),
}


def _start_on(site: SiteAccess, start: Start, key: str, config: Node) -> str:
    with site.node(config, key) as node:
        start(node, config)
    return config.conn_id
