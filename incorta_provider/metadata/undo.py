"""Takes a rewrite back: every value becomes what it was, in one transaction, or none does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from pymysql.cursors import Cursor

from incorta_provider.dr.rewriting import CellChange, Rewriting
from incorta_provider.exceptions import IntegrityError
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.errors import translated
from incorta_provider.metadata.rewrite import Columns
from incorta_provider.metadata.text_columns import StoredColumn, parameterised

SHOWN = 20

_Row: TypeAlias = tuple[str, list["str | bytes | None"]]
"""A condition and its parameters."""

_INEXACT = ("float", "double")
"""Their text form need not find the value again by ``=``."""


def undo(endpoint: Endpoint, done: Rewriting) -> int:
    """Restore the values that a rewrite changed; return how many: all, or none when they are restored already.

    A row of a table that has no key is looked for by all that it holds, which reads the table for each.

    :raises IntegrityError: a value is neither what the rewrite made of it nor what it was; nothing was changed.
    """
    with endpoint.connect() as session, translated(endpoint.label), session.cursor() as cursor:
        cursor.execute("SET SESSION sql_mode = 'STRICT_ALL_TABLES'")
        columns = Columns.read(cursor)
        cursor.execute("START TRANSACTION")
        lost = [change for change in reversed(done.changes) if not _taken_back(cursor, change, columns)]
        if not lost:
            session.commit()
            return len(done.changes)
        session.rollback()
        cursor.execute("START TRANSACTION")
        if all(_done_again(cursor, change, columns) for change in done.changes):
            session.rollback()
            return 0
    raise _changed_since(lost, endpoint)


def _taken_back(cursor: Cursor, change: CellChange, columns: Columns) -> bool:
    return _put(cursor, change, columns, _row(change, columns, change.key, change.after), change.before)


def _done_again(cursor: Cursor, change: CellChange, columns: Columns) -> bool:
    """Tell whether a value is what it was before the rewrite, by doing that again."""
    return _put(cursor, change, columns, _row(change, columns, change.key_before, change.before), change.after)


def _put(cursor: Cursor, change: CellChange, columns: Columns, row: _Row | None, value: str | None) -> bool:
    """Write a value into one row, and return whether that row was there."""
    if row is None:
        return False
    where, values = row
    column = columns.by_name[change.table, change.column]
    kept = "".join(f", {assignment}" for assignment in column.kept)
    update = f"UPDATE {parameterised(change.table)} SET {parameterised(change.column)} = {column.mark}{kept} "  # noqa: S608
    return cursor.execute(f"{update} WHERE {where} LIMIT 1", (_parameter(value, column), *values)) == 1


def _row(change: CellChange, columns: Columns, key: Mapping[str, str | None], value: str | None) -> _Row | None:
    """Return the condition that finds a row while it holds a value; None when a column is gone."""
    conditions: list[str] = []
    values: list[str | bytes | None] = []
    for name, wanted in {**key, change.column: value}.items():
        column = columns.by_name.get((change.table, name))
        if column is None:
            return None
        parameter = _parameter(wanted, column)
        if name in key and change.keyed and column.kind not in _INEXACT:
            conditions.append(f"{parameterised(name)} = {column.mark}")  # an index finds it; the key is unique
            values.append(parameter)
        if name == change.column or not change.keyed or column.kind in _INEXACT:
            conditions.append(column.exactly())
            values.append(parameter)
    return " AND ".join(conditions), values


def _parameter(value: str | None, column: StoredColumn) -> str | bytes | None:
    return bytes.fromhex(value) if value is not None and column.binary else value


def _changed_since(lost: list[CellChange], endpoint: Endpoint) -> IntegrityError:
    shown = "\n  ".join(change.place + " where " + str(change.key) for change in lost[:SHOWN])
    return IntegrityError(
        f"{len(lost)} value(s) were changed since the rewrite, or their rows are gone:\n  {shown}",
        where=endpoint.label,
        fix="Nothing was undone. Restore a recovery point, or put these values back by hand.",
    )
