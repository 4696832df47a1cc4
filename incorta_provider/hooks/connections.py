"""From an Airflow connection to the plain facts that everything below the hooks takes.

:raises ConfigurationError: there is no such connection, or a field of it is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from incorta_provider.connection import ConnectionInfo, Connections, parse_extra, parse_port, remembered
from incorta_provider.exceptions import ConfigurationError

if TYPE_CHECKING:
    from airflow.sdk import Connection


REMEMBERED_SECONDS = 10.0
"""How long a task takes a connection for what it was: each question to Airflow goes through its API server to its
database, and a cutover needs the connections of a site some hundred times."""


def airflow_connections() -> Connections:
    """Return the way to find a connection that a task has."""
    return remembered(connection_info, REMEMBERED_SECONDS)


def connection_info(conn_id: str) -> ConnectionInfo:
    """Return a connection's facts; Airflow masks its secrets in the log from here on."""
    try:
        return info_of(BaseHook.get_connection(conn_id))
    except AirflowNotFoundException:
        raise ConfigurationError(
            f"there is no connection {conn_id!r}", where="Airflow", fix="Make it under Admin > Connections."
        ) from None


def info_of(connection: Connection) -> ConnectionInfo:
    """Return the facts of a connection that is at hand."""
    conn_id = str(connection.conn_id)
    return ConnectionInfo(
        conn_id=conn_id,
        conn_type=connection.conn_type or "",
        host=connection.host or "",
        port=parse_port(conn_id, connection.port),
        login=connection.login or "",
        password=connection.password or "",
        schema=connection.schema or "",
        extra=parse_extra(conn_id, connection.extra),
    )
