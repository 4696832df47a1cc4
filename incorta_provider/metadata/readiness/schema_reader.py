"""Asks the source what its schema holds that a server must have for it. Nothing is changed, and no row is locked.

Schema names are compared byte by byte: the information schema by itself does not tell ``Incorta`` from ``incorta``.

:raises DrError: the server cannot be asked, or the schema is not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from incorta_provider.dr.definers import Account
from incorta_provider.dr.inventory import ENABLED
from incorta_provider.dr.sql_names import quote
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.metadata.endpoint import Endpoint, Session
from incorta_provider.metadata.errors import translated
from incorta_provider.metadata.readiness.facts import SchemaFacts
from incorta_provider.metadata.readiness.largest_row import largest_row
from incorta_provider.metadata.readiness.reader import rows

_SNAPSHOT_ENGINE = "InnoDB"
_PARSER = re.compile(r"WITH PARSER `((?:[^`]|``)+)`")
_NAMED_ZONE = re.compile(r"[A-Za-z]+/|UTC$")
_CODE = {
    "view": ("VIEWS", "TABLE", ", SECURITY_TYPE AS security"),
    "trigger": ("TRIGGERS", "TRIGGER", ", DATABASE_COLLATION AS database_collation"),
    "event": ("EVENTS", "EVENT", ", DATABASE_COLLATION AS database_collation, STATUS AS status, TIME_ZONE AS zone"),
    "routine": (
        "ROUTINES",
        "ROUTINE",
        ", DATABASE_COLLATION AS database_collation, ROUTINE_TYPE AS type, SECURITY_TYPE AS security",
    ),
}
"""Of each kind of object with a definer: its table in the information schema, how its columns begin, and some more."""
_TABLE_COLUMNS = "TABLE_TYPE, ENGINE, TABLE_COLLATION, CREATE_OPTIONS, DATA_LENGTH, INDEX_LENGTH"
_COLUMN_COLUMNS = "COLUMN_NAME, DATA_TYPE, CHARACTER_SET_NAME, COLLATION_NAME"

Gathered = dict[str, list[str]]


def ask_schema(endpoint: Endpoint) -> SchemaFacts:
    """Return what the endpoint's schema needs; reads the tables with long columns in full, for their largest row."""
    with endpoint.connect() as session, translated(endpoint.label):
        return _Reader(session, endpoint.schema).facts()


class _Reader:
    """Gathers, object by object, what is used where."""

    def __init__(self, session: Session, schema: str) -> None:
        self._session = session
        self._schema = schema
        self._collations: Gathered = {}
        self._character_sets: Gathered = {}
        self._types: Gathered = {}

    def facts(self) -> SchemaFacts:
        self._default()
        tables = self._listed("TABLES", "TABLE", _TABLE_COLUMNS)
        columns = self._listed("COLUMNS", "TABLE", _COLUMN_COLUMNS)
        base = [table for table in tables if table["TABLE_TYPE"] == "BASE TABLE"]
        code = {kind: self._code(kind) for kind in _CODE}
        self._use_tables(tables, columns, {table["name"] for table in base})
        events, definers = code["event"], _definers(code)
        return SchemaFacts(
            name=self._schema,
            collations=_places(self._collations),
            character_sets=_places(self._character_sets),
            engines=_places(_grouped((str(table["ENGINE"]), _table(table)) for table in base if table["ENGINE"])),
            types=_places(self._types),
            parsers=_places(self._parsers()),
            encrypted=tuple(_table(table) for table in base if _is_encrypted(str(table["CREATE_OPTIONS"] or ""))),
            unsafe=_places(_grouped((_why_unsafe(table), _table(table)) for table in tables if _why_unsafe(table))),
            without_key=self._without_key(base),
            folded=tuple(_table(table) for table in tables if table["name"] != table["name"].lower()),
            definers=definers,
            invokers=frozenset(_invokers(code, definers)),
            creations=len(code["trigger"]) + sum(row["type"] == "FUNCTION" for row in code["routine"]),
            events=tuple(_title("event", row) for row in events if row["status"] == ENABLED),
            zones=frozenset(row["zone"] for row in events if _NAMED_ZONE.match(row["zone"])),
            largest_row=largest_row(self._session, {table["name"] for table in base}, columns),
            bytes=sum(int(table["DATA_LENGTH"] or 0) + int(table["INDEX_LENGTH"] or 0) for table in base),
        )

    def _listed(self, table: str, prefix: str, columns: str) -> list[dict[str, Any]]:
        """Return what a table of the information schema has of this schema, each with its name in ``name``."""
        where = f"{prefix}_SCHEMA = %(schema)s AND BINARY {prefix}_SCHEMA = BINARY %(schema)s"
        order = f"ORDER BY BINARY {prefix}_NAME"
        what = f"{prefix}_NAME AS name, {columns}"
        query = f"SELECT {what} FROM information_schema.{table} WHERE {where} {order}"  # noqa: S608 - our own words
        return rows(self._session, query, {"schema": self._schema})

    def _default(self) -> None:
        found = rows(
            self._session,
            "SELECT DEFAULT_CHARACTER_SET_NAME AS charset, DEFAULT_COLLATION_NAME AS collation "
            "FROM information_schema.SCHEMATA WHERE BINARY SCHEMA_NAME = BINARY %(schema)s",
            {"schema": self._schema},
        )
        if not found:
            raise ConfigurationError(
                f"there is no schema {self._schema}",
                where="metadata database",
                fix="Correct it in the topology.",
            )
        self._use(found[0]["charset"], found[0]["collation"], "the schema itself")

    def _use(self, character_set: str | None, collation: str | None, place: str) -> None:
        for gathered, name in ((self._character_sets, character_set), (self._collations, collation)):
            if name:
                places = gathered.setdefault(str(name), [])
                if place not in places:
                    places.append(place)

    def _use_tables(self, tables: list[dict[str, Any]], columns: list[dict[str, Any]], base: set[str]) -> None:
        for table in tables:
            self._use(None, table["TABLE_COLLATION"], _table(table))
        for column in columns:
            self._use(column["CHARACTER_SET_NAME"], column["COLLATION_NAME"], _table(column))
            if column["name"] in base:
                place = f"{_table(column)} column {quote(column['COLUMN_NAME'])}"
                self._types.setdefault(str(column["DATA_TYPE"]).lower(), []).append(place)

    def _code(self, kind: str) -> list[dict[str, Any]]:
        table, prefix, more = _CODE[kind]
        columns = "DEFINER AS definer, CHARACTER_SET_CLIENT AS charset, COLLATION_CONNECTION AS collation" + more
        found = self._listed(table, prefix, columns)
        for row in found:
            self._use(row["charset"], row["collation"], _title(kind, row))
            self._use(None, row.get("database_collation"), _title(kind, row))
        return found

    def _without_key(self, base: list[dict[str, Any]]) -> tuple[str, ...]:
        keyed = {
            row["name"] for row in self._listed("STATISTICS", "TABLE", "INDEX_NAME") if row["INDEX_NAME"] == "PRIMARY"
        }
        return tuple(_table(table) for table in base if table["name"] not in keyed)

    def _parsers(self) -> Gathered:
        indexed = {
            row["name"] for row in self._listed("STATISTICS", "TABLE", "INDEX_TYPE") if row["INDEX_TYPE"] == "FULLTEXT"
        }
        found: Gathered = {}
        for name in sorted(indexed):
            (shown,) = rows(self._session, f"SHOW CREATE TABLE {quote(name)}")
            for parser in _PARSER.findall(shown["Create Table"]):
                found.setdefault(parser.lower(), []).append(f"table {quote(name)}")
        return found


def _definers(code: Mapping[str, list[dict[str, Any]]]) -> dict[str, Account]:
    found = {}
    for kind, listed in code.items():
        for row in listed:
            user, at, host = str(row["definer"]).rpartition("@")
            found[_title(kind, row)] = (user, host) if at else (host, "")
    return found


def _invokers(code: Mapping[str, list[dict[str, Any]]], definers: Mapping[str, Account]) -> Iterator[str]:
    """Yield what runs with the rights of who uses it, and has no role for a definer."""
    for kind, listed in code.items():
        for row in listed:
            _, host = definers[title := _title(kind, row)]
            if host and row.get("security") == "INVOKER":
                yield title


def _why_unsafe(table: Mapping[str, Any]) -> str:
    kind, engine = str(table["TABLE_TYPE"]), str(table["ENGINE"])
    if "VIEW" in kind or (kind, engine) == ("BASE TABLE", _SNAPSHOT_ENGINE):
        return ""
    return f"storage engine {engine}" if kind == "BASE TABLE" else kind.lower()


def _is_encrypted(options: str) -> bool:
    return re.search(r"encrypt\w*`?\s*=\s*[\"']?(?:yes|y)\b", options, re.IGNORECASE) is not None


def _title(kind: str, row: Mapping[str, Any]) -> str:
    return f"{str(row.get('type', kind)).lower()} {quote(row['name'])}"


def _table(row: Mapping[str, Any]) -> str:
    return f"table {quote(row['name'])}"


def _grouped(pairs: Iterable[tuple[str, str]]) -> Gathered:
    found: Gathered = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def _places(gathered: Gathered) -> dict[str, tuple[str, ...]]:
    return {name: tuple(places) for name, places in sorted(gathered.items())}
