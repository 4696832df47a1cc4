"""Finds the rows in which two tables differ, without moving the others.

Both servers sort their rows into buckets, by a digest of the key, and answer with a count and a checksum of each. Only
of buckets that differ the digests of single rows are fetched, and only of rows that differ the key and the names of
columns. That is three readings of the table, whatever its size; a table without a key is told apart by whole rows.

Values of other columns than the key's are not shown: metadata hold secrets of the people who use them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from incorta_provider.dr.inventory import ABSENT, Difference
from incorta_provider.dr.sql_names import quote
from incorta_provider.metadata.checksum import Column, row_digest, steady
from incorta_provider.metadata.endpoint import Session

Answer = TypeVar("Answer")

SHOWN = 20
"""How many rows of a table are named."""

_BUCKET_ROWS = 200
_MAX_BUCKETS = 1 << 14
_TEXT = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set", "json")
_BINARY = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob")
_SHOWN_LETTERS = 60

Rows = Mapping[int, Counter[int]]
"""How often each digest of a row comes, by the digest of its key."""

_Details = Mapping[int, tuple[str, tuple[int, ...]]]


@dataclass(frozen=True, slots=True)
class ComparedTable:
    """A table that is there at both sides, with the same columns.

    :ivar key: names of the columns that tell its rows apart; empty where nothing does.
    """

    name: str
    columns: Sequence[Column]
    key: Sequence[str]

    @property
    def identity(self) -> list[Column]:
        """The columns that tell its rows apart."""
        return [column for column in self.columns if column.name in self.key] or steady(self.columns)

    @property
    def others(self) -> list[Column]:
        """The columns in which two rows of one key may differ."""
        return [column for column in steady(self.columns) if column not in self.identity]


def differing_rows(expected: Session, actual: Session, table: ComparedTable, *, rows: int) -> list[Difference]:
    """Return one difference for each row, the first :data:`SHOWN` by key.

    :param expected: at the schema that the other one should equal; each session in a transaction of its own.
    :param rows: about how many there are.
    """
    buckets = max(1, min(_MAX_BUCKETS, rows // _BUCKET_ROWS))
    one, other = _both(expected, actual, lambda session: _buckets(session, table, buckets))
    unequal = sorted(number for number in {*one, *other} if one.get(number) != other.get(number))[:SHOWN]
    if not unequal:
        return []
    wanted, got = _both(expected, actual, lambda session: _rows(session, table, buckets, unequal))
    digests = [digest for digest in {*wanted, *got} if wanted.get(digest) != got.get(digest)][:SHOWN]
    shown_wanted, shown_got = _both(expected, actual, lambda session: _details(session, table, digests))
    found = [_difference(table, wanted, got, digest, shown_wanted, shown_got) for digest in digests]
    return sorted(found, key=lambda difference: difference.what)


def _both(expected: Session, actual: Session, ask: Callable[[Session], Answer]) -> tuple[Answer, Answer]:
    """Ask both servers at the same time."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        one, other = pool.map(ask, (expected, actual))
    return one, other


def _buckets(session: Session, table: ComparedTable, buckets: int) -> dict[int, tuple[int, int]]:
    """Return number of rows and checksum of each bucket that has any."""
    query = (
        f"SELECT {row_digest(table.identity)} MOD {buckets} AS bucket, COUNT(*), "  # noqa: S608 - quoted
        f"SUM({row_digest(steady(table.columns))}) FROM {quote(table.name)} GROUP BY bucket"
    )
    return {int(bucket): (int(count), int(total)) for bucket, count, total in _ask(session, query)}


def _rows(session: Session, table: ComparedTable, buckets: int, chosen: Sequence[int]) -> Rows:
    """Return the rows of some buckets."""
    identity = row_digest(table.identity)
    query = (
        f"SELECT {identity} AS id, {row_digest(steady(table.columns))} AS content, COUNT(*) "  # noqa: S608 - quoted
        f"FROM {quote(table.name)} WHERE {identity} MOD {buckets} IN ({_listed(chosen)}) GROUP BY id, content"
    )
    found: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for digest, content, count in _ask(session, query):
        found[int(digest)][int(content)] += int(count)
    return found


def _details(session: Session, table: ComparedTable, digests: Sequence[int]) -> _Details:
    """Return the key in words, and a digest of each other column, of some rows."""
    identity = row_digest(table.identity)
    parts = [identity, *map(_shown, table.identity), *(row_digest([column]) for column in table.others)]
    query = f"SELECT {', '.join(parts)} FROM {quote(table.name)} WHERE {identity} IN ({_listed(digests)})"  # noqa: S608
    names, width = [quote(column.name) for column in table.identity], len(table.identity)
    return {
        int(digest): (
            ", ".join(f"{name} = {_literal(value)}" for name, value in zip(names, values[:width], strict=True)),
            tuple(map(int, values[width:])),
        )
        for digest, *values in _ask(session, query)
    }


def _difference(
    table: ComparedTable, wanted: Rows, got: Rows, digest: int, shown_wanted: _Details, shown_got: _Details
) -> Difference:
    key, there = shown_wanted.get(digest) or shown_got.get(digest) or ("that changed meanwhile", ())
    title, row = f"table {quote(table.name)}", f"row {key}"
    counts = [sum(rows.get(digest, Counter()).values()) for rows in (wanted, got)]
    if counts[0] != counts[1]:
        words = [ABSENT if count == 0 else "it" if sum(counts) == 1 else f"{count} of it" for count in counts]
        return Difference(title, row, *words)
    _, here = shown_got.get(digest, ("", ()))
    unequal = [column for column, one, other in zip(table.others, there, here, strict=False) if one != other]
    return Difference(title, row, "equal", f"other values in {', '.join(quote(column.name) for column in unequal)}")


def _shown(column: Column) -> str:
    """Return the expression of a value as a person reads it; long ones are cut."""
    name = quote(column.name)
    if column.kind in _TEXT:
        return f"LEFT(CONVERT({name} USING utf8mb4), {_SHOWN_LETTERS})"
    if column.kind in _BINARY:
        return f"CONCAT('0x', HEX(LEFT({name}, {_SHOWN_LETTERS // 2})))"
    return f"{name} + 0" if column.kind == "bit" else f"CAST({name} AS CHAR)"


def _literal(value: object) -> str:
    return "NULL" if value is None else f"'{value}'"


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers)) or "NULL"


def _ask(session: Session, query: str) -> list[tuple[Any, ...]]:
    with session.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())
