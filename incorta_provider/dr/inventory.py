"""The inventory: everything that a schema holds, and the full comparison of two of them.

An inventory lists every object with its normalised definition, and every table with the number and a checksum of its
rows. Two schemas with equal inventories hold the same data, whatever servers they lie on. Pure: made by
:mod:`incorta_provider.metadata`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from incorta_provider.dr.definers import definer_of
from incorta_provider.dr.frozen import FrozenModel
from incorta_provider.dr.sql_names import quote, rename_schema
from incorta_provider.dr.sql_security import runs_as_invoker

EventPolicy = Literal["disabled", "as_recorded"]
"""How events must stand: all off (proof, drill, restore), or as they were at the source (after promotion)."""

ABSENT = "nothing"
DISABLED = "DISABLED"
ENABLED = "ENABLED"

_SHOWN = 160
_FLOAT = re.compile(r"^`(?:[^`]|``)*` float\b")


class Server(FrozenModel):
    """Facts of the server that the schema lies on."""

    version: str
    sql_mode: str
    character_set: str
    collation: str
    time_zone: str
    lower_case_table_names: int


class Table(FrozenModel):
    """One base table.

    :ivar columns: definition of each by name, in their order.
    :ivar options: what follows the closing bracket, without the counter of ``AUTO_INCREMENT``.
    :ivar checksum: independent of the order of rows; see :mod:`incorta_provider.metadata.checksum`.
    """

    engine: str
    columns: dict[str, str]
    indexes: dict[str, str]
    constraints: dict[str, str]
    options: str
    rows: int = Field(ge=0)
    checksum: str


class Code(FrozenModel):
    """A view, routine or trigger.

    :ivar settings: the character sets and, where it has one, the sql_mode that the server runs it under.
    """

    definition: str
    settings: dict[str, str]


class Event(Code):
    """A scheduled event.

    :ivar definition: without its status.
    :ivar status: ``ENABLED``, ``DISABLED`` or ``SLAVESIDE_DISABLED``.
    """

    status: str


class Inventory(FrozenModel):
    """All objects of one schema, by name; routines by kind and name, as in ``PROCEDURE p``.

    :ivar position: the binary log position of the snapshot that counts and checksums come from, ``file:offset``; empty
        when they come from no snapshot.
    :ivar gtid: the same position as a replica names it; empty when the engine cannot tell.
    :ivar rows_only: the dump is another engine's: its rows are taken from it, the definitions from here.
    """

    format: Literal[1] = 1
    server: Server
    schema_name: str
    character_set: str
    collation: str
    position: str = ""
    gtid: str = ""
    rows_only: bool = False
    tables: dict[str, Table]
    views: dict[str, Code]
    routines: dict[str, Code]
    triggers: dict[str, Code]
    events: dict[str, Event]

    @property
    def rows(self) -> int:
        """The rows of all tables."""
        return sum(table.rows for table in self.tables.values())

    def code(self) -> Iterator[tuple[str, Code]]:
        """Yield every object that has a definer, with its kind and name."""
        kinds: dict[str, Mapping[str, Code]] = {
            "view": self.views,
            "routine": self.routines,
            "trigger": self.triggers,
            "event": self.events,
        }
        for kind, objects in kinds.items():
            for name, code in objects.items():
                yield _title(kind, name), code


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it should be.

    :ivar object: the object's kind and name.
    :ivar what: the part of it.
    """

    object: str
    what: str
    expected: str
    actual: str

    def __str__(self) -> str:
        expected, actual = _excerpts(self.expected, self.actual)
        return f"{self.object}: {self.what}: expected {expected}, found {actual}"


def compare(expected: Inventory, actual: Inventory, *, events: EventPolicy) -> list[Difference]:
    """Return every difference between two schemas; an empty list means equal.

    Server facts and schema names are not compared: a restored schema may lie on another server under another name.
    """
    found = []
    for what in ("character_set", "collation"):
        if getattr(expected, what) != getattr(actual, what):
            found.append(Difference("schema", what, getattr(expected, what), getattr(actual, what)))
    found += _compare_tables(expected.tables, actual.tables)
    views = _renamed(expected.views, expected.schema_name, actual.schema_name)
    found += _compare_code("view", views, actual.views)
    for kind, wanted, got in (
        ("routine", expected.routines, actual.routines),
        ("trigger", expected.triggers, actual.triggers),
        ("event", expected.events, actual.events),
    ):
        found += _compare_code(kind, wanted, got)
    return found + list(_compare_status(expected.events, actual.events, events))


def unequal_tables(expected: Inventory, actual: Inventory) -> list[str]:
    """Return the tables whose rows differ, and whose columns do not: their rows can be compared one by one."""
    return sorted(
        name
        for name, wanted in expected.tables.items()
        if (got := actual.tables.get(name)) is not None
        and (wanted.rows, wanted.checksum) != (got.rows, got.checksum)
        and wanted.columns == got.columns
    )


def definers(inventory: Inventory) -> dict[str, tuple[str, str]]:
    """Return the account under which each view, routine, trigger and event runs.

    :returns: (user, host) by object; a role has an empty host.
    """
    found = {title: definer_of(code.definition) for title, code in inventory.code()}
    return {title: account for title, account in found.items() if account}


def invokers(inventory: Inventory) -> frozenset[str]:
    """Return the views and routines that run with the rights of who uses them, whether their definer exists or not.

    Not those whose definer is a role: one that does not exist, MariaDB takes for a user.
    """
    code = dict(inventory.code())
    return frozenset(
        title for title, (_, host) in definers(inventory).items() if host and runs_as_invoker(code[title].definition)
    )


def _title(kind: str, name: str) -> str:
    if kind == "routine":
        kind, _, name = name.partition(" ")
    return f"{kind.lower()} {quote(name)}"


def _renamed(views: Mapping[str, Code], old: str, new: str) -> dict[str, Code]:
    return {
        name: Code(definition=rename_schema(code.definition, old, new), settings=code.settings)
        for name, code in views.items()
    }


def _compare_tables(expected: Mapping[str, Table], actual: Mapping[str, Table]) -> Iterator[Difference]:
    for name in sorted({*expected, *actual}):
        title, wanted, got = f"table {quote(name)}", expected.get(name), actual.get(name)
        if wanted is None or got is None:
            yield _existence(title, wanted, got)
            continue
        for what, one, other in (
            ("column", wanted.columns, got.columns),
            ("index", wanted.indexes, got.indexes),
            ("constraint", wanted.constraints, got.constraints),
        ):
            yield from _compare_named(title, what, one, other)
        yield from _compare_whole_table(title, wanted, got)


def _compare_whole_table(title: str, wanted: Table, got: Table) -> Iterator[Difference]:
    if wanted.columns.keys() == got.columns.keys() and list(wanted.columns) != list(got.columns):
        yield Difference(title, "order of columns", ", ".join(wanted.columns), ", ".join(got.columns))
    for what in ("engine", "options"):
        if getattr(wanted, what) != getattr(got, what):
            yield Difference(title, what, getattr(wanted, what), getattr(got, what))
    if wanted.rows != got.rows:
        yield Difference(title, "rows", str(wanted.rows), str(got.rows))
    elif wanted.checksum != got.checksum:
        yield Difference(title, _content(wanted), wanted.checksum, got.checksum)


def _content(table: Table) -> str:
    """Name the content, and the one reason that is known in advance: dump clients write FLOAT with six digits."""
    floats = [name for name, definition in table.columns.items() if _FLOAT.match(definition)]
    hint = f" (FLOAT column(s) {', '.join(map(quote, floats))}: dumps keep six digits, DOUBLE keeps all)"
    return f"checksum of its {table.rows} row(s){hint if floats else ''}"


def _compare_named(
    title: str, what: str, expected: Mapping[str, str], actual: Mapping[str, str]
) -> Iterator[Difference]:
    for name in sorted({*expected, *actual}):
        wanted, got = expected.get(name, ABSENT), actual.get(name, ABSENT)
        if wanted != got:
            yield Difference(title, f"{what} {quote(name)}", wanted, got)


def _compare_code(kind: str, expected: Mapping[str, Code], actual: Mapping[str, Code]) -> Iterator[Difference]:
    for name in sorted({*expected, *actual}):
        title, wanted, got = _title(kind, name), expected.get(name), actual.get(name)
        if wanted is None or got is None:
            yield _existence(title, wanted, got)
            continue
        if wanted.definition != got.definition:
            yield Difference(title, "definition", wanted.definition, got.definition)
        yield from _compare_named(title, "setting", wanted.settings, got.settings)


def _compare_status(
    expected: Mapping[str, Event], actual: Mapping[str, Event], policy: EventPolicy
) -> Iterator[Difference]:
    for name in sorted(expected.keys() & actual.keys()):
        wanted = DISABLED if policy == "disabled" else expected[name].status
        if actual[name].status != wanted:
            yield Difference(_title("event", name), "status", wanted, actual[name].status)


def _existence(title: str, expected: object, actual: object) -> Difference:
    return Difference(title, "existence", ABSENT if expected is None else "it", ABSENT if actual is None else "it")


def _excerpts(expected: str, actual: str) -> tuple[str, str]:
    """Return both texts, long ones cut to the place where they begin to differ."""
    if max(len(expected), len(actual)) <= _SHOWN:
        return expected, actual
    pairs = zip(expected, actual, strict=False)
    same = next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(expected), len(actual)))
    start = max(0, same - _SHOWN // 4)
    return _excerpt(expected, start), _excerpt(actual, start)


def _excerpt(text: str, start: int) -> str:
    piece = text[start : start + _SHOWN]
    return f"{'…' if start else ''}{piece}{'…' if start + _SHOWN < len(text) else ''}"
