"""The hook of a site's ZooKeeper ensemble."""

from __future__ import annotations

from contextlib import AbstractContextManager

from incorta_provider.coordination.ensemble import Member, ensemble_state, quorum_problem
from incorta_provider.coordination.session import Session
from incorta_provider.coordination.zookeeper import connect
from incorta_provider.exceptions import TransientError
from incorta_provider.hooks.base import IncortaHook


class ZooKeeperHook(IncortaHook):
    """Opens sessions, and says whether the ensemble has its quorum.

    :param incorta_zookeeper_conn_id: connection of type ``incorta_zookeeper``.
    """

    conn_name_attr = "incorta_zookeeper_conn_id"
    default_conn_name = "incorta_zookeeper_default"
    conn_type = "incorta_zookeeper"
    hook_name = "Incorta ZooKeeper ensemble"

    def __init__(self, incorta_zookeeper_conn_id: str = default_conn_name) -> None:
        super().__init__(incorta_zookeeper_conn_id)

    def get_conn(self) -> AbstractContextManager[Session]:
        """Return a session, open within a ``with`` block."""
        return connect(self.info())

    def state(self) -> list[Member]:
        """Return what each member says."""
        return ensemble_state(self.info())

    def check(self) -> str:
        """Look for a quorum."""
        state = self.state()
        if problem := quorum_problem(state):
            raise TransientError(problem, where=f"connection {self.conn_id}", fix="Start the members that are down.")
        return "; ".join(f"{member.host}:{member.port} {member.mode or member.reason}" for member in state)
