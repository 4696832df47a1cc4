"""How long the longest row of a schema is as SQL text: what a server must take as one statement.

A dump client writes text with a backslash in front of what needs one, and binary values in hexadecimal digits; so twice
the bytes is the most that a value takes. Only tables that could hold a row of more than a server's default packet are
read, and those in full: the server keeps no such number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from incorta_provider.dr.sql_names import quote
from incorta_provider.metadata.endpoint import Session
from incorta_provider.metadata.readiness.reader import rows

_LONG = frozenset(
    {"mediumblob", "longblob", "mediumtext", "longtext", "json", "geometry", "point", "linestring", "polygon"}
    | {"multipoint", "multilinestring", "multipolygon", "geometrycollection"}
)
_OTHERS = 1 << 18
"""More than all other columns of a row take: InnoDB keeps those within 64 KiB, short BLOBs and TEXTs apart."""


def largest_row(
    session: Session, tables: Collection[str], columns: Iterable[Mapping[str, Any]]
) -> tuple[int, str] | None:
    """Return the bytes of the longest row at most, and its table; None when no table has long columns.

    :param columns: of the information schema; ``name`` is the table's.
    """
    long: dict[str, list[str]] = {}
    for column in columns:
        if column["name"] in tables and str(column["DATA_TYPE"]).lower() in _LONG:
            long.setdefault(column["name"], []).append(_length(column))
    return max((_of_table(session, table, lengths) for table, lengths in long.items()), default=None)


def _length(column: Mapping[str, Any]) -> str:
    """Return how many bytes a column's value has as the client writes it: text in utf8mb4."""
    name = quote(column["COLUMN_NAME"])
    return f"COALESCE(LENGTH({f'CONVERT({name} USING utf8mb4)' if column['CHARACTER_SET_NAME'] else name}), 0)"


def _of_table(session: Session, table: str, lengths: list[str]) -> tuple[int, str]:
    (found,) = rows(session, f"SELECT MAX({' + '.join(lengths)}) AS longest FROM {quote(table)}")  # noqa: S608 - quoted
    return 2 * int(found["longest"] or 0) + _OTHERS, f"table {quote(table)}"
