"""Rewrites values that differ between sites, and looks for what still points to the other one.

Texts are compared character by character, with case, in whatever character set a column has; binary columns by the
bytes of UTF-8. A value counts in the form in which it stands, and in the forms that JSON gives it.

:raises ConfigurationError: a rule names a column that is not there.
:raises IntegrityError: the database refuses a rewritten value; nothing was rewritten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import pymysql
from pymysql.cursors import Cursor

from incorta_provider.exceptions import ConfigurationError, IntegrityError
from incorta_provider.metadata.definitions import Definitions, read_definitions
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.errors import translated
from incorta_provider.metadata.text_columns import Search, TextColumn, parameterised, text_columns


@dataclass(frozen=True, slots=True)
class Rule:
    """Replace ``before`` by ``after`` wherever it stands in one column."""

    table: str
    column: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Change:
    """One value that was rewritten, and in how many rows it stood."""

    table: str
    column: str
    before: str
    after: str
    rows: int


@dataclass(frozen=True, slots=True)
class Finding:
    """A place that still holds a value of the other site.

    :ivar needle: the value's name.
    :ivar rows: 0 for a definition.
    """

    place: str
    needle: str
    rows: int

    def __str__(self) -> str:
        rows = f" in {self.rows} row(s)" if self.rows else ""
        return f"{self.place} holds the other site's {self.needle}{rows}"


def rewrite(endpoint: Endpoint, rules: Sequence[Rule]) -> list[Change]:
    """Apply all rules in one transaction; return what was changed. Doing it again changes nothing.

    Triggers of a rewritten table run, as for any change; columns that record the time of the last change keep it.
    """
    changes: list[Change] = []
    with endpoint.connect() as session, translated(endpoint.label), session.cursor() as cursor:
        cursor.execute("SET SESSION sql_mode = 'STRICT_ALL_TABLES'")
        columns = {(column.table, column.name): column for column in text_columns(cursor)}
        cursor.execute("START TRANSACTION")
        for rule in rules:
            column = columns.get((rule.table, rule.column))
            if column is None or column.generated:
                raise _no_column(rule, endpoint)
            changes += _apply(cursor, rule, column, endpoint)
        cursor.execute("COMMIT")
    return changes


def scan(endpoint: Endpoint, needles: Mapping[str, str], *, own: Collection[str] = ()) -> list[Finding]:
    """Search every text and binary column, and every definition, for the values of the other site.

    :param needles: value by name.
    :param own: this site's values. One that holds a needle, as ``/mnt/data`` holds ``/data``, is no finding.
    """
    searches = [Search(name, value, own) for name, value in needles.items() if value]
    if not searches:
        return []
    found: list[Finding] = []
    with endpoint.connect() as session, translated(endpoint.label):
        definitions = read_definitions(session)
        with session.cursor() as cursor:
            for table, columns in groupby(text_columns(cursor), key=lambda column: column.table):
                found += _scan_table(cursor, table, list(columns), searches)
    return found + list(_scan_definitions(definitions, searches))


def _apply(cursor: Cursor, rule: Rule, column: TextColumn, endpoint: Endpoint) -> Iterator[Change]:
    """Rewrite one column and yield each value that changed."""
    value, values = column.replacing(rule.before, rule.after)
    table, name = parameterised(column.table), parameterised(column.name)
    changed = f"NOT CAST({name} AS BINARY) <=> CAST({value} AS BINARY)"
    kept = "".join(f", {assignment}" for assignment in column.kept)
    select = f"SELECT {name}, {value} FROM {table} WHERE {changed} FOR UPDATE"  # noqa: S608 - quoted
    update = f"UPDATE {table} SET {name} = {value}{kept} WHERE {changed}"  # noqa: S608 - quoted
    try:
        cursor.execute(select, (*values, *values))
        rows = Counter((_shown(before), _shown(after)) for before, after in cursor.fetchall())
        cursor.execute(update, (*values, *values))
    except (pymysql.err.DataError, pymysql.err.IntegrityError) as error:
        raise IntegrityError(
            f"{column.place} does not take the rewritten value: {error.args[-1]}",
            where=endpoint.label,
            fix="Nothing was rewritten. Change the rule or the site's value in the topology.",
        ) from error
    for (before, after), count in rows.items():
        yield Change(rule.table, rule.column, before, after, count)


def _scan_table(cursor: Cursor, table: str, columns: list[TextColumn], searches: list[Search]) -> Iterator[Finding]:
    """Read the table once, whatever the number of columns and values is."""
    questions = [(column, search, *column.holds(search)) for column in columns for search in searches]
    sums = ", ".join(f"COALESCE(SUM({condition}), 0)" for _, _, condition, _ in questions)
    query = f"SELECT {sums} FROM {parameterised(table)}"  # noqa: S608 - quoted
    cursor.execute(query, [value for *_, values in questions for value in values])
    for (column, search, _, _), rows in zip(questions, cursor.fetchone() or (), strict=True):
        if rows:
            yield Finding(column.place, search.name, int(rows))


def _scan_definitions(definitions: Definitions, searches: list[Search]) -> Iterator[Finding]:
    for place, text in definitions.texts():
        for search in searches:
            if search.is_in(text):
                yield Finding(f"definition of {place}", search.name, 0)


def _shown(value: object) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)


def _no_column(rule: Rule, endpoint: Endpoint) -> ConfigurationError:
    return ConfigurationError(
        f"a rewrite rule names {rule.table}.{rule.column}, which is no text column of the schema",
        where=endpoint.label,
        fix="Correct metadata.rewrite in the topology.",
    )
