"""The hook of the Cluster Management Console."""

from __future__ import annotations

from incorta_provider.hooks.base import IncortaHook
from incorta_provider.services.cmc import CmcClient


class CmcHook(IncortaHook):
    """Reads the state of a cluster.

    :param incorta_cmc_conn_id: connection of type ``incorta_cmc``.
    """

    conn_name_attr = "incorta_cmc_conn_id"
    default_conn_name = "incorta_cmc_default"
    conn_type = "incorta_cmc"
    hook_name = "Incorta CMC"

    def __init__(self, incorta_cmc_conn_id: str = default_conn_name) -> None:
        super().__init__(incorta_cmc_conn_id)

    def get_conn(self) -> CmcClient:
        """Return a client, to be used in a ``with`` block."""
        return CmcClient.from_connection(self.info())

    def check(self) -> str:
        """Log in."""
        with self.get_conn() as client:
            client.login()
        return "The CMC lets us in"
