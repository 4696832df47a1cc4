"""The hook of the Analytics service."""

from __future__ import annotations

from incorta_provider.hooks.base import IncortaHook
from incorta_provider.services.analytics import AnalyticsClient


class AnalyticsHook(IncortaHook):
    """Logs in to a tenant and uses its public API.

    :param incorta_analytics_conn_id: connection of type ``incorta_analytics``.
    :param tenant: the tenant; the connection's own when it is empty.
    """

    conn_name_attr = "incorta_analytics_conn_id"
    default_conn_name = "incorta_analytics_default"
    conn_type = "incorta_analytics"
    hook_name = "Incorta Analytics"

    def __init__(self, incorta_analytics_conn_id: str = default_conn_name, tenant: str = "") -> None:
        super().__init__(incorta_analytics_conn_id)
        self.tenant = tenant

    def get_conn(self) -> AnalyticsClient:
        """Return a client, to be used in a ``with`` block."""
        return AnalyticsClient.from_connection(self.info(), self.tenant)

    def check(self) -> str:
        """Log in."""
        with self.get_conn() as client:
            client.login()
        return "Analytics lets us in"
