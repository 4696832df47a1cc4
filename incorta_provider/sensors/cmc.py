"""Wait for the Cluster Management Console."""

from __future__ import annotations

from typing import Any

from incorta_provider.hooks.cmc import CmcHook
from incorta_provider.hooks.connections import connection_info
from incorta_provider.sensors.readiness import ReadinessSensor
from incorta_provider.services.readiness import cmc_reason


class CmcSensor(ReadinessSensor):
    """Wait until the CMC lets us in and shows the cluster's nodes as connected.

    :param cluster: the cluster's name at the CMC (templated).
    :param nodes: how many nodes must be connected.
    :param incorta_cmc_conn_id: connection of type ``incorta_cmc`` (templated).
    """

    template_fields = ("cluster", "incorta_cmc_conn_id")

    def __init__(
        self, *, cluster: str, nodes: int, incorta_cmc_conn_id: str = CmcHook.default_conn_name, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.cluster = cluster
        self.nodes = nodes
        self.incorta_cmc_conn_id = incorta_cmc_conn_id

    def reason(self) -> str | None:
        """Log in and look at the nodes."""
        return cmc_reason(connection_info(self.incorta_cmc_conn_id), self.cluster, self.nodes)
