"""Asks a server for the facts that readiness is judged by. Nothing is changed, and no row is locked.

:raises DrError: the server cannot be asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pymysql
from pymysql.cursors import DictCursor

from incorta_provider.metadata.endpoint import Endpoint, Session
from incorta_provider.metadata.engines.detection import engine_of
from incorta_provider.metadata.errors import translated
from incorta_provider.metadata.readiness.facts import ServerFacts
from incorta_provider.metadata.rights import Grant, missing
from incorta_provider.metadata.tls import Mode

_CERTIFICATE_TIME = "%b %d %H:%M:%S %Y %Z"
_KIB = 1024
_WRITES = re.compile(r"GRANT .*\b(?:ALL PRIVILEGES|SUPER|READ[_ ]ONLY ADMIN|CONNECTION_ADMIN)\b.* ON \*\.\* TO ")
"""Rights that let an account write while ``read_only`` is on: MariaDB's names, then MySQL's."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a server said.

    :ivar account: ours, as in SQL.
    :ivar lacking: the rights that it has not.
    """

    server: ServerFacts
    account: str
    lacking: list[Grant]


def ask_server(endpoint: Endpoint, zones: Iterable[str] = ()) -> Asked:
    """Return the facts of an endpoint's server and of the account that we log in with.

    :param zones: named time zones to look for.
    """
    with endpoint.connect_to(None) as session, translated(endpoint.label):
        (account,) = (row["a"] for row in rows(session, "SELECT CURRENT_USER() AS a"))
        grants = [str(next(iter(row.values()))) for row in rows(session, "SHOW GRANTS")]
        server = replace(_server(endpoint, session, zones), writes_when_read_only=any(map(_WRITES.match, grants)))
        user, _, host = str(account).rpartition("@")
        return Asked(server, f"'{user}'@'{host}'", missing(grants, endpoint.schema, engine_of(session)))


def rows(session: Session, query: str, values: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
    """Return the rows of a query, by the names of its columns."""
    with session.cursor(DictCursor) as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall())


def _server(endpoint: Endpoint, session: Session, zones: Iterable[str]) -> ServerFacts:
    variables = _pairs(session, "SHOW GLOBAL VARIABLES")
    status = _pairs(session, "SHOW SESSION STATUS LIKE 'Ssl\\_%'")
    tls = endpoint.tls
    return ServerFacts(
        site=endpoint.site,
        version=variables["version"],
        variables=variables,
        collations=_collations(session),
        character_sets=_names(session, "SELECT CHARACTER_SET_NAME AS name FROM information_schema.CHARACTER_SETS"),
        engines=_names(
            session, "SELECT ENGINE AS name FROM information_schema.ENGINES WHERE SUPPORT IN ('YES', 'DEFAULT')"
        ),
        plugins=_plugins(session),
        accounts=_accounts(session),
        zones=frozenset(zone for zone in zones if _knows(session, zone)),
        free_bytes=_free_bytes(session, variables.get("datadir", "")),
        encrypted=bool(status.get("ssl_cipher")),
        verified=tls is not None and tls.mode is not Mode.REQUIRED,
        certificate_ends=_moment(status.get("ssl_server_not_after", "")),
    )


def _pairs(session: Session, query: str) -> dict[str, str]:
    return {str(row["Variable_name"]).lower(): str(row["Value"]) for row in rows(session, query)}


def _names(session: Session, query: str) -> frozenset[str]:
    return frozenset(str(row["name"]) for row in rows(session, query))


def _collations(session: Session) -> frozenset[str]:
    """Return the full names: since 10.10 MariaDB lists some collations without their character set's."""
    found = rows(session, "SELECT * FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY")
    return frozenset(str(row.get("FULL_COLLATION_NAME") or row["COLLATION_NAME"]) for row in found)


def _plugins(session: Session) -> dict[str, str]:
    found = rows(
        session, "SELECT PLUGIN_NAME, PLUGIN_TYPE FROM information_schema.PLUGINS WHERE PLUGIN_STATUS = 'ACTIVE'"
    )
    return {str(row["PLUGIN_NAME"]).lower(): str(row["PLUGIN_TYPE"]).lower() for row in found}


def _accounts(session: Session) -> frozenset[tuple[str, str]] | None:
    """Return all accounts; None when ours may not see them, which the rights tell."""
    try:
        found = rows(session, "SELECT User AS user, Host AS host FROM mysql.user")
    except pymysql.err.OperationalError:
        return None
    return frozenset((str(row["user"]), str(row["host"])) for row in found)


def _knows(session: Session, zone: str) -> bool:
    query = "SELECT CONVERT_TZ('2024-01-01', '+00:00', %(zone)s) IS NOT NULL AS known"
    return bool(rows(session, query, {"zone": zone})[0]["known"])


def _free_bytes(session: Session, folder: str) -> int | None:
    """Return what is free where the data lie, by MariaDB's plugin DISKS; None without it or the right to ask it."""
    try:
        disks = rows(session, "SELECT Path AS path, Available AS available FROM information_schema.DISKS")
    except pymysql.MySQLError:
        return None
    holding = [disk for disk in disks if f"{folder.rstrip('/')}/".startswith(f"{str(disk['path']).rstrip('/')}/")]
    nearest = max(holding, key=lambda disk: len(str(disk["path"])), default=None)
    return None if nearest is None else int(nearest["available"]) * _KIB


def _moment(text: str) -> datetime | None:
    """Return a time as OpenSSL prints it, for example ``Nov 28 12:00:00 2027 GMT``."""
    return datetime.strptime(text, _CERTIFICATE_TIME).replace(tzinfo=UTC) if text else None
