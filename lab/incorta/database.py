"""Sessions at the metadata database, set up as Incorta prescribes."""

from __future__ import annotations

from typing import TypeAlias

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from lab.incorta.settings import Database

SQL_MODE = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
"""Zero dates are stored, so neither NO_ZERO_DATE nor NO_ZERO_IN_DATE."""

Session: TypeAlias = "Connection[Cursor]"
"""A string, for the class takes its parameter in the stubs only."""


def connect(database: Database, *, autocommit: bool = True) -> Session:
    """Log in. The session keeps the time zone of the server, as Incorta's own sessions do."""
    return pymysql.connect(
        host=database.host,
        port=database.port,
        user=database.user,
        password=database.password,
        database=database.schema,
        charset="utf8mb4",
        sql_mode=SQL_MODE,
        autocommit=autocommit,
        connect_timeout=5,
        read_timeout=60,
        write_timeout=60,
    )
