"""Plain facts of one connection, free of Airflow.

Hooks make them from an Airflow connection, the command line from a JSON file in the format of
``airflow connections export``. Everything below the hooks takes this class, so that the same adapters serve an Airflow
task, the command line on the day that Airflow is down, and a test.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from threading import Lock
from typing import Any

from incorta_provider.exceptions import ConfigurationError


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """One connection. ``password`` and ``extra`` stay out of ``repr``: both may hold secrets.

    :param conn_id: the name that the topology uses.
    :param conn_type: Airflow's type, such as ``mysql``; it decides nothing here.
    :param port: None where the connection has none; each kind has a default of its own.
    :param schema: of a database connection.
    :param extra: the JSON object of the extra field; read key by key, never splatted into a client.
    """

    conn_id: str
    conn_type: str = ""
    host: str = ""
    port: int | None = None
    login: str = ""
    password: str = field(default="", repr=False)
    schema: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def require(self, *names: str) -> None:
        """Refuse a connection that lacks one of the named fields.

        :raises ConfigurationError: names the connection and each missing field.
        """
        missing = [name for name in names if not getattr(self, name)]
        if missing:
            raise ConfigurationError(
                f"connection has no {', '.join(missing)}",
                where=f"connection {self.conn_id}",
                fix="Fill the field in under Admin > Connections.",
            )


Connections = Callable[[str], ConnectionInfo]
"""Finds a connection by its id; raises ConfigurationError when there is none."""


def remembered(find: Connections, seconds: float) -> Connections:
    """Return a way to find connections that asks for each at most once in so many seconds; threads may share it.

    A connection that could not be found is asked for again.

    :param seconds: how old an answer may be, so that who waits for something sees what a person corrected meanwhile.
    """
    known: dict[str, tuple[float, ConnectionInfo]] = {}
    asking = Lock()

    def still_known(conn_id: str) -> ConnectionInfo | None:
        asked_at, info = known.get(conn_id, (-inf, None))
        return info if time.monotonic() - asked_at <= seconds else None

    def find_once(conn_id: str) -> ConnectionInfo:
        if (info := still_known(conn_id)) is not None:
            return info
        with asking:
            if (info := still_known(conn_id)) is None:
                asked_at = time.monotonic()
                known[conn_id] = asked_at, (info := find(conn_id))
        return info

    return find_once


def connections_from_file(path: Path) -> Connections:
    """Look connections up in a JSON file as ``airflow connections export`` writes it.

    :raises ConfigurationError: the file is absent or no JSON object; later, an id is not in it or is not described.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, str(error)) from None
    if not isinstance(document, dict):
        raise _unreadable(path, "the file does not hold a JSON object")

    def find(conn_id: str) -> ConnectionInfo:
        if conn_id not in document:
            raise ConfigurationError(f"no connection {conn_id!r}", where=str(path), fix="Add it to the file.")
        return from_document(conn_id, document[conn_id])

    return find


def from_document(conn_id: str, fields: object) -> ConnectionInfo:
    """Build one connection from the fields of an export.

    :raises ConfigurationError: a field is not what an export holds.
    """
    if not isinstance(fields, Mapping):
        raise ConfigurationError(
            "the connection is not written as JSON fields",
            where=f"connection {conn_id}",
            fix="Export with `airflow connections export --serialization-format json`.",
        )
    return ConnectionInfo(
        conn_id=conn_id,
        conn_type=str(fields.get("conn_type") or ""),
        host=str(fields.get("host") or ""),
        port=parse_port(conn_id, fields.get("port")),
        login=str(fields.get("login") or ""),
        password=str(fields.get("password") or ""),
        schema=str(fields.get("schema") or ""),
        extra=parse_extra(conn_id, fields.get("extra")),
    )


def parse_port(conn_id: str, port: object) -> int | None:
    """Read the port, which an export may hold as a number, as text or not at all.

    :raises ConfigurationError: it is not a TCP port number.
    """
    if port is None or port == "":
        return None
    text = str(port)
    if not (re.fullmatch("[0-9]{1,5}", text) and 0 < int(text) < 65536):
        raise ConfigurationError(
            f"port {text[:20]!r} is not a number from 1 to 65535",
            where=f"connection {conn_id}",
            fix="Correct it under Admin > Connections.",
        )
    return int(text)


def parse_extra(conn_id: str, extra: object) -> Mapping[str, Any]:
    """Read the extra field, which Airflow keeps as JSON text.

    :raises ConfigurationError: the text is not a JSON object.
    """
    if not extra:
        return {}
    if isinstance(extra, Mapping):
        return extra
    try:
        value = json.loads(str(extra))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ConfigurationError(
            "the extra field is not a JSON object",
            where=f"connection {conn_id}",
            fix="Correct it under Admin > Connections.",
        )
    return value


def _unreadable(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"cannot read the connections: {reason}",
        where=str(path),
        fix="Write the file with `airflow connections export FILE.json`.",
    )
