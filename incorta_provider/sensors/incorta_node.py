"""Wait for a node agent."""

from __future__ import annotations

from typing import Any

from incorta_provider.hooks.connections import connection_info
from incorta_provider.hooks.incorta_node import IncortaNodeHook
from incorta_provider.sensors.readiness import ReadinessSensor
from incorta_provider.services.readiness import agent_reason


class IncortaNodeSensor(ReadinessSensor):
    """Wait until the agent of a node answers at its port.

    :param incorta_node_conn_id: connection of type ``incorta_node`` (templated).
    """

    template_fields = ("incorta_node_conn_id",)

    def __init__(self, *, incorta_node_conn_id: str = IncortaNodeHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.incorta_node_conn_id = incorta_node_conn_id

    def reason(self) -> str | None:
        """Try the agent's port."""
        return agent_reason(connection_info(self.incorta_node_conn_id))
