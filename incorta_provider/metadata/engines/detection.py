"""Tells which engine a server is.

:raises ConfigurationError: none of those that are known, or not the one that it has to be.
"""

from __future__ import annotations

import re

from incorta_provider.exceptions import ConfigurationError
from incorta_provider.metadata.engines.engine import Engine, Session
from incorta_provider.metadata.engines.mariadb import MariaDb
from incorta_provider.metadata.engines.mysql import MySql

_MYSQL = re.compile(r"(?:[89]|[1-9]\d)\.\d+\.\d+")


def engine_of(session: Session) -> Engine:
    """Return the engine of the session's server."""
    with session.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        (version,) = cursor.fetchone() or ("",)
    return engine_for(str(version))


def ensure_same_engine(session: Session, version: str) -> None:
    """Refuse to restore to another engine than the one that was dumped: it may take the same text for another thing.

    :param version: of the server that was dumped.
    """
    here, there = engine_of(session), engine_for(version)
    if here.name != there.name:
        raise ConfigurationError(
            f"the dump is {there.name}'s, the server is a {here.name}",
            where="metadata database",
            fix=f"Use a {there.name} server at this site.",
        )


def engine_for(version: str) -> Engine:
    """Return the engine of a server by what it says of itself.

    >>> engine_for("10.11.19-MariaDB-log").name, engine_for("9.7.4-2").name
    ('MariaDB', 'MySQL')
    """
    if "MariaDB" in version:
        return MariaDb(version)
    if _MYSQL.match(version):
        return MySql(version)
    raise ConfigurationError(
        f"the server is {version or 'unknown'}; supported are MariaDB and MySQL from 8.0 on",
        where="metadata database",
        fix="Use one of these.",
    )
