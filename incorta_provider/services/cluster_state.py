"""What the CMC says about a cluster, as far as it matters here. Pure.

Releases differ: a status is a string in some and an object with ``statusType`` in others. What is read is a closed
list of keys, so that the database credentials in the CMC's answer go nowhere.

:raises ConfigurationError: the answer is of a form that is not known.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from incorta_provider.exceptions import ConfigurationError

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ServiceState:
    """One service at one node; ``reason`` says why it failed, where the CMC knows."""

    name: str
    status: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.status}: {self.reason}" if self.reason else self.status


@dataclass(frozen=True, slots=True)
class NodeState:
    """One node; ``version`` is empty while it is not connected."""

    name: str
    status: str
    version: str
    services: tuple[ServiceState, ...]


@dataclass(frozen=True, slots=True)
class ClusterState:
    """The cluster.

    :ivar scheduler_started: None where the CMC does not say.
    """

    name: str
    nodes: tuple[NodeState, ...]
    tenants: tuple[str, ...]
    scheduler_started: bool | None


def parse_cluster(document: Mapping[str, Any]) -> ClusterState:
    """Read the body of ``GET /cmc/api/v1/clusters/<name>``."""
    nodes = document.get("nodes")
    if not isinstance(nodes, list) or not all(isinstance(node, dict) for node in nodes):
        raise _not_understood("it has no list of nodes")
    started = document.get("scheduler_started")
    return ClusterState(
        name=str(document.get("name") or ""),
        nodes=tuple(_node(node) for node in nodes),
        tenants=tuple(str(tenant.get("name") or "") for tenant in _objects(document.get("tenants"))),
        scheduler_started=started if isinstance(started, bool) else None,
    )


def nodes_problem(state: ClusterState, expected: int, good: Collection[str]) -> str | None:
    """Return why fewer than ``expected`` nodes are connected; None when enough are."""
    connected = [node for node in state.nodes if _is_good(node.status, good)]
    if len(connected) >= expected:
        return None
    others = "; ".join(f"{node.name} {node.status}" for node in state.nodes if node not in connected)
    return f"{len(connected)} of {expected} nodes are connected" + (f" ({others})" if others else "")


def service_problem(state: ClusterState, service: str, expected: int, good: Collection[str]) -> str | None:
    """Return why a service is not started at ``expected`` nodes; None when it is.

    :param good: the statuses that mean "started"; anything else, known or not, does not.
    """
    found = [(node, entry) for node in state.nodes for entry in node.services if entry.name == service]
    started = sum(_is_good(entry.status, good) for _, entry in found)
    if started >= expected:
        return None
    others = "; ".join(f"{node.name} {entry}" for node, entry in found if not _is_good(entry.status, good))
    return f"{service} is started at {started} of {expected} nodes" + (f" ({others})" if others else "")


def _is_good(status: str, good: Collection[str]) -> bool:
    return status.casefold() in {word.casefold() for word in good}


def _node(node: Mapping[str, Any]) -> NodeState:
    return NodeState(
        name=str(node.get("name") or ""),
        status=_status(node.get("status")),
        version=str(node.get("node_version") or ""),
        services=tuple(_service(service) for service in _objects(node.get("services"))),
    )


def _service(service: Mapping[str, Any]) -> ServiceState:
    status = service.get("status")
    message = status.get("message") if isinstance(status, dict) else None
    return ServiceState(
        name=str(service.get("name") or ""), status=_status(status), reason=str(service.get("reason") or message or "")
    )


def _status(status: object) -> str:
    value = status.get("statusType") if isinstance(status, dict) else status
    return value if isinstance(value, str) and value else UNKNOWN


def _objects(value: object) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _not_understood(detail: str) -> ConfigurationError:
    return ConfigurationError(
        f"the CMC's answer is not understood: {detail}",
        where="GET /cmc/api/v1/clusters",
        fix="Is the CMC of a release that is supported? Report its version.",
    )
