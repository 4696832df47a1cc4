"""The hook of the metadata database: an ordinary Airflow connection of type ``mysql``."""

from __future__ import annotations

from incorta_provider.hooks.base import IncortaHook
from incorta_provider.metadata.endpoint import Endpoint, Session


class MetadataHook(IncortaHook):
    """Opens sessions that are pinned to UTC and utf8mb4.

    :param metadata_conn_id: connection of type ``mysql``.
    :param schema: the metadata schema; the connection's own when it is empty.
    """

    conn_name_attr = "metadata_conn_id"
    default_conn_name = "incorta_metadata_default"
    conn_type = "mysql"
    hook_name = "Incorta metadata"

    def __init__(self, metadata_conn_id: str = default_conn_name, schema: str = "") -> None:
        super().__init__(metadata_conn_id)
        self.schema = schema

    def endpoint(self) -> Endpoint:
        """Return where the metadata are."""
        return Endpoint.from_connection(self.info(), schema=self.schema)

    def get_conn(self) -> Session:
        """Return an open session; close it."""
        return self.endpoint().connect()

    def check(self) -> str:
        """Log in to the schema and look whether the account has what a dump and a restore need."""
        endpoint = self.endpoint()
        endpoint.connect().close()
        endpoint.ensure_rights()
        return endpoint.label
