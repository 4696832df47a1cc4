"""Whether the parts of a site are really ready: what the sensors of a cutover wait for, and what its last check asks.

:raises ConfigurationError: a credential, a name or a setting is wrong; waiting cannot cure that.
"""

from __future__ import annotations

from enum import StrEnum

from incorta_provider.coordination.ensemble import ensemble_state, quorum_problem
from incorta_provider.dr.site import Node
from incorta_provider.services.readiness import (
    agents_reason,
    analytics_reason,
    cmc_reason,
    joined,
    service_reason,
    spark_reason,
)
from incorta_provider.steps.access import SiteAccess


class Part(StrEnum):
    """The parts of a site, in the order of their start."""

    ZOOKEEPER = "zookeeper"
    NODES = "nodes"
    CMC = "cmc"
    LOADER = "loader"
    ANALYTICS = "analytics"


def not_ready(site: SiteAccess, part: Part) -> str | None:
    """Return why a part is not ready; None when it is."""
    match part:
        case Part.ZOOKEEPER:
            return quorum_problem(ensemble_state(site.zookeeper))
        case Part.NODES:
            return _nodes_reason(site)
        case Part.CMC:
            return cmc_reason(site.cmc, site.config.cmc.cluster, len(site.config.nodes))
        case Part.LOADER:
            return _services_reason(site, loader=True)
        case Part.ANALYTICS:
            login = analytics_reason(site.analytics, site.config.analytics.tenant)
            return joined({"services": _services_reason(site, loader=False), "login": login})


def _nodes_reason(site: SiteAccess) -> str | None:
    """Agents, and Spark where it belongs to a node: both must be there before any service starts."""
    with_spark = site.node_connections(node for node in site.config.nodes if node.spark)
    found = (agents_reason(site.node_connections(site.config.nodes)), spark_reason(with_spark))
    return "; ".join(filter(None, found)) or None


def services_of(node: Node, *, loader: bool) -> list[str]:
    """Return a node's Loaders, or its other services, by the topology's names."""
    return [service for service in node.services if ("loader" in service.lower()) is loader]


def _services_reason(site: SiteAccess, *, loader: bool) -> str | None:
    names = sorted({service for node in site.config.nodes for service in services_of(node, loader=loader)})
    return joined({name: _service_reason(site, name) for name in names})


def _service_reason(site: SiteAccess, service: str) -> str | None:
    nodes = [node for node in site.config.nodes if service in node.services]
    return service_reason(site.cmc, site.config.cmc.cluster, service, site.node_connections(nodes))
