"""The hook of an Incorta node, reached over SSH."""

from __future__ import annotations

from incorta_provider.hooks.base import IncortaHook
from incorta_provider.services.node import IncortaNode


class IncortaNodeHook(IncortaHook):
    """Starts and stops what runs at one node.

    :param incorta_node_conn_id: connection of type ``incorta_node``.
    """

    conn_name_attr = "incorta_node_conn_id"
    default_conn_name = "incorta_node_default"
    conn_type = "incorta_node"
    hook_name = "Incorta node"

    def __init__(self, incorta_node_conn_id: str = default_conn_name) -> None:
        super().__init__(incorta_node_conn_id)

    def get_conn(self) -> IncortaNode:
        """Return the node; logged in to within a ``with`` block."""
        return IncortaNode.from_connection(self.info())

    def check(self) -> str:
        """Log in and read the release."""
        with self.get_conn() as node:
            return f"Incorta {node.version()}"
