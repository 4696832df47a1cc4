"""Wait for a Loader or an Analytics service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from incorta_provider.hooks.cmc import CmcHook
from incorta_provider.hooks.connections import connection_info
from incorta_provider.sensors.readiness import ReadinessSensor
from incorta_provider.services.readiness import analytics_reason, service_reason


class IncortaServiceSensor(ReadinessSensor):
    """Wait until the CMC says that a service started at its nodes, and its port answers at each of them.

    With an Analytics connection, its web application must let us in as well, and answer about the data.

    :param service: for example ``loaderService`` (templated).
    :param cluster: the cluster's name at the CMC (templated).
    :param node_conn_ids: connections of type ``incorta_node`` of the nodes that run the service (templated).
    :param incorta_cmc_conn_id: connection of type ``incorta_cmc`` (templated).
    :param incorta_analytics_conn_id: connection of type ``incorta_analytics``, or nothing (templated).
    :param tenant: the tenant to log in to; the connection's own when it is empty (templated).
    """

    template_fields = (
        "service",
        "cluster",
        "node_conn_ids",
        "incorta_cmc_conn_id",
        "incorta_analytics_conn_id",
        "tenant",
    )

    def __init__(
        self,
        *,
        service: str,
        cluster: str,
        node_conn_ids: Sequence[str],
        incorta_cmc_conn_id: str = CmcHook.default_conn_name,
        incorta_analytics_conn_id: str = "",
        tenant: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.service = service
        self.cluster = cluster
        self.node_conn_ids = node_conn_ids
        self.incorta_cmc_conn_id = incorta_cmc_conn_id
        self.incorta_analytics_conn_id = incorta_analytics_conn_id
        self.tenant = tenant

    def reason(self) -> str | None:
        """Look at the cluster, at the ports and, for Analytics, at the API."""
        nodes = [connection_info(conn_id) for conn_id in self.node_conn_ids]
        reason = service_reason(connection_info(self.incorta_cmc_conn_id), self.cluster, self.service, nodes)
        if reason is None and self.incorta_analytics_conn_id:
            reason = analytics_reason(connection_info(self.incorta_analytics_conn_id), self.tenant)
        return reason
