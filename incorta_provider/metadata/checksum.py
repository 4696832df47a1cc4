"""Counts and checksums of rows, computed by the server.

The checksum of a table is the sum, over its rows, of the first 60 bits of a SHA-256 of the row. A sum does not depend
on the order of the rows and counts duplicates. A row becomes bytes in one way only: first which columns are NULL, then
the values, each text after its length. Text is taken as the bytes of its own character set.
"""

from __future__ import annotations

import queue
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from incorta_provider.dr.sql_names import quote
from incorta_provider.metadata.endpoint import Session

_SEPARATOR = "_binary'#' COLLATE `binary`"
"""Explicitly binary, so that the server joins the values as bytes and converts no character set (MariaDB manual,
*Coercibility*)."""

_NUMBERED = ("bit", "enum", "set")
"""Taken as the number that is stored: an ENUM shows its error value as an empty text, which may also be a member."""

_SHORT_TEXT = ("char", "varchar", "binary", "varbinary", "tinytext", "tinyblob", "inet4", "inet6", "uuid")
_PLAIN = (
    *("tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "double", "year"),
    *("date", "time", "datetime", "timestamp"),
)
"""Types whose text form is exact and never holds the separator. DOUBLE is printed so that it reads back the same."""

_UNSTEADY = re.compile(
    r"\b(?:rand|uuid|uuid_short|sys_guid|now|sysdate|curdate|curtime|current_\w+|localtime\w*|utc_\w+|unix_timestamp|"
    r"connection_id|user|session_user|system_user|database|schema|version|last_insert_id|row_count|found_rows)\s*\(|@@",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Column:
    """What a checksum has to know about a column.

    :ivar kind: the type without its length, in lower case, for example ``varchar``.
    :ivar expression: of a generated column, else empty.
    """

    name: str
    kind: str
    nullable: bool
    expression: str = ""


@dataclass(frozen=True, slots=True)
class Measure:
    """What a table holds.

    :ivar checksum: decimal digits.
    """

    rows: int
    checksum: str


def steady(columns: Sequence[Column]) -> list[Column]:
    """Return the columns that have one value everywhere.

    A generated column that asks for the time or the session has another value at each look, and so may those which
    build on it: then no generated column of the table counts. Their definitions are compared anyway.
    """
    if any(_UNSTEADY.search(column.expression) for column in columns):
        return [column for column in columns if not column.expression]
    return list(columns)


def checksum_query(table: str, columns: Sequence[Column]) -> str:
    """Return the query for the number of rows and their checksum."""
    value = row_digest(steady(columns))
    return f"SELECT COUNT(*), COALESCE(SUM({value}), 0) FROM {quote(table)}"  # noqa: S608 - quoted


def row_digest(columns: Sequence[Column]) -> str:
    """Return the expression of a row's digest, a number of 60 bits, as far as these columns go."""
    return f"CAST(CONV(LEFT(SHA2({_row(columns)}, 256), 15), 16, 10) AS UNSIGNED)"


def _row(columns: Sequence[Column]) -> str:
    nulls = [f"ISNULL({quote(column.name)})" for column in columns if column.nullable]
    first = f"CONCAT({', '.join(nulls)})" if nulls else "''"
    return f"CONCAT_WS({', '.join([_SEPARATOR, first, *map(_value, columns)])})"


def _value(column: Column) -> str:
    """Return the expression of one value.

    Long texts are hashed on their own, so that no row comes near ``max_allowed_packet``, above which the server would
    turn the joined row into NULL. FLOAT is widened: its own text form keeps six digits.
    """
    name = quote(column.name)
    if column.kind in _PLAIN:
        return name
    if column.kind in _NUMBERED:
        return f"{name} + 0"
    if column.kind == "float":
        return f"CAST({name} AS DOUBLE)"
    if column.kind in _SHORT_TEXT:
        return f"LENGTH({name}), {name}"
    return f"SHA2({name}, 256)"


def measure(sessions: Sequence[Session], tables: Mapping[str, Sequence[Column]]) -> dict[str, Measure]:
    """Count and checksum tables, one at a time in each session, all sessions at once.

    Each session's transaction ends as soon as there is nothing left for it: until then it keeps the tables that it read
    from being redefined (with a binary log, going back to a savepoint does not let them go).

    :param sessions: at least one; those of a dump hold the same snapshot.
    :param tables: the columns of each table by its name, those that take longest first.
    :raises pymysql.MySQLError: of the first table that failed; no further table is begun then.
    """
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for name in tables:
        waiting.put(name)
    found: dict[str, Measure] = {}

    def work(session: Session) -> None:
        try:
            while True:
                name = waiting.get_nowait()
                found[name] = _measure(session, checksum_query(name, tables[name]))
        except queue.Empty:
            session.rollback()
        except BaseException:
            _drain(waiting)
            raise

    with ThreadPoolExecutor(max_workers=len(sessions)) as pool:
        for result in [pool.submit(work, session) for session in sessions]:
            result.result()
    return found


def _measure(session: Session, query: str) -> Measure:
    with session.cursor() as cursor:
        cursor.execute(query)
        rows, checksum = cursor.fetchone() or (0, 0)
    return Measure(int(rows), str(checksum))


def _drain(waiting: queue.SimpleQueue[str]) -> None:
    while not waiting.empty():
        waiting.get_nowait()
