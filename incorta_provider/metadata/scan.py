"""Looks for what still points to the other site, in every column that can hold text and in every definition.

Texts are compared character by character, with case, in whatever character set a column has; binary columns by the
bytes of UTF-8. A value counts in the form in which it stands, and in the forms that JSON gives it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from pymysql.cursors import Cursor

from incorta_provider.metadata.definitions import Definitions, read_definitions
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.errors import translated
from incorta_provider.metadata.text_columns import Search, StoredColumn, parameterised, text_columns


@dataclass(frozen=True, slots=True)
class Finding:
    """A place that still holds a value of the other site.

    :ivar needle: the value's name.
    :ivar rows: 0 for a definition and a file.
    """

    place: str
    needle: str
    rows: int

    def __str__(self) -> str:
        rows = f" in {self.rows} row(s)" if self.rows else ""
        return f"{self.place} holds the other site's {self.needle}{rows}"


def scan(
    endpoint: Endpoint,
    needles: Mapping[str, str],
    *,
    own: Collection[str] = (),
    allowed: Collection[tuple[str, str]] = (),
) -> list[Finding]:
    """Search every text and binary column, and every definition, for the values of the other site.

    :param needles: value by name.
    :param own: this site's values. One that holds a needle, as ``/mnt/data`` holds ``/data``, is not a finding.
    :param allowed: columns, by table and name, that may hold them.
    """
    searches = [Search(name, value, own) for name, value in needles.items() if value]
    if not searches:
        return []
    found: list[Finding] = []
    with endpoint.connect() as session, translated(endpoint.label):
        definitions = read_definitions(session)
        with session.cursor() as cursor:
            searched = [each for each in text_columns(cursor) if (each.table, each.name) not in allowed]
            for table, columns in groupby(searched, key=lambda column: column.table):
                found += _scan_table(cursor, table, list(columns), searches)
    return found + list(_scan_definitions(definitions, searches))


def _scan_table(cursor: Cursor, table: str, columns: list[StoredColumn], searches: list[Search]) -> Iterator[Finding]:
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
