"""Whether the parts of a site are ready, as a reason why not: None means ready.

The reasons of what may pass by itself are returned, for somebody who waits; what waiting cannot cure is raised.

:raises ConfigurationError: a credential, a name or a setting is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import TransientError
from incorta_provider.services.analytics import AnalyticsClient
from incorta_provider.services.cluster_state import nodes_problem, service_problem
from incorta_provider.services.cmc import CmcClient
from incorta_provider.services.node import AGENT, SPARK, node_port, part_of
from incorta_provider.services.ports import port_problem

STARTED = ("Started",)
CONNECTED = ("Connected",)


def agent_reason(node: ConnectionInfo) -> str | None:
    """Return why a node's agent is not ready: its port must answer."""
    node.require("host")
    return port_problem(node.host, node_port(node, AGENT))


def agents_reason(nodes: Sequence[ConnectionInfo]) -> str | None:
    """Return why not every node's agent is ready."""
    return joined({node.conn_id: agent_reason(node) for node in nodes})


def spark_reason(nodes: Sequence[ConnectionInfo]) -> str | None:
    """Return why Spark's master is not ready at every one of these nodes: its port must answer."""
    return joined({f"Spark of {node.conn_id}": port_problem(node.host, node_port(node, SPARK)) for node in nodes})


def cmc_reason(cmc: ConnectionInfo, cluster: str, nodes: int) -> str | None:
    """Return why the CMC is not ready: it must let us in and show that number of connected nodes."""

    def look() -> str | None:
        with CmcClient.from_connection(cmc) as client:
            return nodes_problem(client.cluster(cluster), nodes, CONNECTED)

    return waiting_for(look)


def service_reason(cmc: ConnectionInfo, cluster: str, service: str, nodes: Sequence[ConnectionInfo]) -> str | None:
    """Return why a service is not ready at these nodes: the CMC must say that it started, and its port must answer.

    :param service: for example ``loaderService``.
    """

    def look() -> str | None:
        with CmcClient.from_connection(cmc) as client:
            problem = service_problem(client.cluster(cluster), service, len(nodes), STARTED)
        return problem or joined({node.conn_id: _service_port_reason(node, service) for node in nodes})

    return waiting_for(look)


def analytics_reason(analytics: ConnectionInfo, tenant: str) -> str | None:
    """Return why Analytics is not ready: its web application is up, lets us in, and its API answers about the data."""

    def look() -> None:
        with AnalyticsClient.from_connection(analytics, tenant) as client:
            client.is_up()
            client.login()
            client.schemas()

    return waiting_for(look)


def waiting_for(look: Callable[[], str | None]) -> str | None:
    """Return what ``look`` returns, or what it raised when that may pass by itself."""
    try:
        return look()
    except TransientError as error:
        return f"{error.what} [{error.where}]" if error.where else error.what


def joined(reasons: Mapping[str, str | None]) -> str | None:
    """Return the reasons as one, each with the name of what it is about; None when there are none."""
    return "; ".join(f"{name}: {reason}" for name, reason in reasons.items() if reason) or None


def _service_port_reason(node: ConnectionInfo, service: str) -> str | None:
    part = part_of(service)
    return None if part is None else port_problem(node.host, node_port(node, part))
