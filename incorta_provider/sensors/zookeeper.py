"""Wait for the quorum of a ZooKeeper ensemble."""

from __future__ import annotations

from typing import Any

from incorta_provider.coordination.ensemble import ensemble_state, quorum_problem
from incorta_provider.hooks.connections import connection_info
from incorta_provider.hooks.zookeeper import ZooKeeperHook
from incorta_provider.sensors.readiness import ReadinessSensor


class ZooKeeperQuorumSensor(ReadinessSensor):
    """Wait until the ensemble has a leader and more than half of its members serve.

    :param incorta_zookeeper_conn_id: connection of type ``incorta_zookeeper`` (templated).
    """

    template_fields = ("incorta_zookeeper_conn_id",)

    def __init__(self, *, incorta_zookeeper_conn_id: str = ZooKeeperHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.incorta_zookeeper_conn_id = incorta_zookeeper_conn_id

    def reason(self) -> str | None:
        """Ask the members."""
        return quorum_problem(ensemble_state(connection_info(self.incorta_zookeeper_conn_id)))
