"""What tells the rows of a table apart: its primary key, or else a unique index without NULL on whole values."""

from __future__ import annotations

from pymysql.cursors import Cursor


def row_keys(cursor: Cursor) -> dict[str, tuple[str, ...]]:
    """Return the key's columns of each table of the cursor's schema that has one.

    An index on a prefix or on an expression tells no rows apart for sure, one that takes NULL may hold it many times.
    """
    cursor.execute(
        "SELECT s.TABLE_NAME, s.INDEX_NAME, s.COLUMN_NAME, s.SUB_PART IS NULL AND s.COLUMN_NAME IS NOT NULL "
        "AND s.NULLABLE <> 'YES' FROM information_schema.STATISTICS s "
        "WHERE s.TABLE_SCHEMA = DATABASE() AND BINARY s.TABLE_SCHEMA = BINARY DATABASE() AND s.NON_UNIQUE = 0 "
        "ORDER BY BINARY s.TABLE_NAME, s.INDEX_NAME <> 'PRIMARY', BINARY s.INDEX_NAME, s.SEQ_IN_INDEX"
    )
    indexes: dict[tuple[str, str], list[str]] = {}
    unfit = set()
    for table, index, column, fit in cursor.fetchall():
        indexes.setdefault((table, index), []).append(column)
        if not fit:
            unfit.add((table, index))
    keys: dict[str, tuple[str, ...]] = {}
    for (table, index), columns in indexes.items():
        if (table, index) not in unfit:
            keys.setdefault(table, tuple(columns))
    return keys
