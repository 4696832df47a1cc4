"""What the hooks share: the connection's facts, and a connection test that never raises."""

from __future__ import annotations

from abc import abstractmethod

from airflow.sdk import BaseHook

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import DrError
from incorta_provider.hooks.connections import connection_info


class IncortaHook(BaseHook):
    """Base of the hooks.

    :param conn_id: the connection.
    """

    def __init__(self, conn_id: str) -> None:
        super().__init__()
        self.conn_id = conn_id

    def info(self) -> ConnectionInfo:
        """Return the connection's facts."""
        return connection_info(self.conn_id)

    @abstractmethod
    def check(self) -> str:
        """Use the connection and return what was found there."""

    def test_connection(self) -> tuple[bool, str]:
        """Return whether the connection works, and what was found or what is wrong."""
        try:
            return True, self.check()
        except DrError as error:
            return False, str(error)
