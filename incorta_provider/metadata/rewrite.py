"""Rewrites values: those that differ between the sites, and those that a drill must switch off; and takes it back.

A rewrite is one transaction. What it does to each value is known before it is committed, so it can be looked at first
(the same transaction, rolled back), bound by its digest to what a person has seen, and undone later.

:raises ConfigurationError: a rule names a column that is not there.
:raises IntegrityError: the database refuses a rewritten value, or keeps another one; nothing was rewritten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import pymysql
from pymysql.cursors import Cursor

from incorta_provider.dr.rewriting import CellChange, Rewriting, folded
from incorta_provider.exceptions import ConfigurationError, IntegrityError, PreconditionError
from incorta_provider.metadata.endpoint import Endpoint, Session
from incorta_provider.metadata.errors import translated
from incorta_provider.metadata.row_keys import row_keys
from incorta_provider.metadata.text_columns import StoredColumn, all_columns, parameterised


@dataclass(frozen=True, slots=True)
class Replace:
    """Replace ``before`` by ``after`` wherever it stands in one text or binary column."""

    table: str
    column: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Put:
    """Write one value into a column, whatever its type.

    :ivar only: into the rows that hold this value; None for all rows.
    """

    table: str
    column: str
    value: str
    only: str | None = None


Rule: TypeAlias = Replace | Put


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a schema.

    :ivar keys: names of the key's columns, by table.
    """

    by_name: dict[tuple[str, str], StoredColumn]
    keys: dict[str, tuple[str, ...]]

    @classmethod
    def read(cls, cursor: Cursor) -> Columns:
        """Read those of the cursor's schema."""
        return cls({(column.table, column.name): column for column in all_columns(cursor)}, row_keys(cursor))

    def telling_apart(self, column: StoredColumn) -> list[StoredColumn]:
        """Return what tells the rows of a column's table apart: its key, or everything else that is stored."""
        key = self.keys.get(column.table)
        of_table = [each for (table, _), each in self.by_name.items() if table == column.table]
        return [each for each in of_table if (each.name in key if key else not each.generated and each != column)]


def preview(endpoint: Endpoint, rules: Sequence[Rule]) -> Rewriting:
    """Return what a rewrite would do now. The database does it, checks it and rolls it back."""
    with endpoint.connect() as session, translated(endpoint.label):
        return _rewrite(session, rules, endpoint)


def rewrite(
    endpoint: Endpoint, rules: Sequence[Rule], *, keep: Callable[[Rewriting], None], seen: str | None = None
) -> Rewriting:
    """Apply all rules in one transaction; return what was changed. Doing it again changes nothing.

    Triggers of a rewritten table run, as for any change; columns that record the time of the last change keep it.

    :param keep: called with what is about to be committed, so that it can be undone; not when there is nothing.
    :param seen: the digest of the diff that a person has seen.
    :raises PreconditionError: the diff is another one by now; nothing was rewritten.
    """
    with endpoint.connect() as session, translated(endpoint.label):
        done = _rewrite(session, rules, endpoint)
        if seen is not None and seen != done.sha256:
            raise _not_seen(done, seen, endpoint)
        if done.changes:
            keep(done)
        session.commit()
    return done


def _rewrite(session: Session, rules: Sequence[Rule], endpoint: Endpoint) -> Rewriting:
    """Apply all rules in a transaction that the caller commits; a session that is closed before rolls it back."""
    changes: list[CellChange] = []
    with session.cursor() as cursor:
        cursor.execute("SET SESSION sql_mode = 'STRICT_ALL_TABLES'")
        columns = Columns.read(cursor)
        cursor.execute("START TRANSACTION")
        for rule in sorted(rules, key=lambda rule: (rule.table, rule.column)):
            column = columns.by_name.get((rule.table, rule.column))
            if column is None or column.generated or (isinstance(rule, Replace) and not (column.text or column.binary)):
                raise _no_column(rule, endpoint)
            changes += _apply(cursor, rule, column, columns, endpoint)
    return Rewriting(changes=tuple(folded(changes)))


def _apply(
    cursor: Cursor, rule: Rule, column: StoredColumn, columns: Columns, endpoint: Endpoint
) -> Iterator[CellChange]:
    """Rewrite one column and yield each value that changed."""
    if isinstance(rule, Replace):
        new, values = column.replacing(rule.before, rule.after)
        changed = f"NOT CAST({column.searched} AS BINARY) <=> CAST({new} AS BINARY)"
        conditions = values
    else:
        new, values = column.mark, [rule.value]
        changed, conditions = f"NOT {column.exactly()}", [rule.value]
        if rule.only is not None:
            changed, conditions = f"{changed} AND {column.exactly()}", [*conditions, rule.only]
    table, name = parameterised(column.table), parameterised(column.name)
    kept = "".join(f", {assignment}" for assignment in column.kept)
    telling = columns.telling_apart(column)
    shown = ", ".join([column.value, new, *(each.value for each in telling)])
    try:
        cursor.execute(f"SELECT {shown} FROM {table} WHERE {changed} FOR UPDATE", (*values, *conditions))  # noqa: S608
        rows = cursor.fetchall()
        cursor.execute(f"UPDATE {table} SET {name} = {new}{kept} WHERE {changed}", (*values, *conditions))  # noqa: S608
        cursor.execute(f"SELECT COUNT(*) FROM {table} WHERE {changed}", conditions)  # noqa: S608 - quoted
    except (pymysql.err.DataError, pymysql.err.IntegrityError) as error:
        raise _not_taken(column, str(error.args[-1]), endpoint) from error
    if cursor.fetchone() != (0,):
        raise _not_taken(column, "the column keeps another one, or a trigger changed it", endpoint)
    for before, after, *key in rows:
        named = {each.name: _as_text(value, each) for each, value in zip(telling, key, strict=True)}
        yield CellChange(
            table=column.table,
            column=column.name,
            key={**named, column.name: _as_text(after, column)} if column.name in named else named,
            keyed=column.table in columns.keys,
            binary=column.binary,
            before=_as_text(before, column),
            after=_as_text(after, column),
        )


def _as_text(value: object, column: StoredColumn) -> str | None:
    if value is None:
        return None
    if isinstance(value, bytes):
        return value.hex() if column.binary else value.decode()
    return str(value)


def _not_taken(column: StoredColumn, why: str, endpoint: Endpoint) -> IntegrityError:
    return IntegrityError(
        f"{column.place} does not take the rewritten value: {why}",
        where=endpoint.label,
        fix="Nothing was rewritten. Change the rule or the site's value in the topology.",
    )


def _not_seen(done: Rewriting, seen: str, endpoint: Endpoint) -> PreconditionError:
    return PreconditionError(
        f"the diff has digest {done.sha256} now, and {seen} was given: it is not the one that was reviewed",
        where=endpoint.label,
        fix="Nothing was rewritten. Review it again with --dry-run.",
    )


def _no_column(rule: Rule, endpoint: Endpoint) -> ConfigurationError:
    kind = "text column" if isinstance(rule, Replace) else "stored column"
    return ConfigurationError(
        f"a rewrite rule names {rule.table}.{rule.column}, which is not a {kind} of the schema",
        where=endpoint.label,
        fix="Correct the metadata rules in the topology.",
    )
