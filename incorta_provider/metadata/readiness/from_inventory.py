"""What the inventory of a recovery point tells, when its source may be gone. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from incorta_provider.dr.inventory import ENABLED, Inventory, definers, invokers
from incorta_provider.dr.sql_names import quote
from incorta_provider.metadata.readiness.facts import Places, SchemaFacts, ServerFacts

_PRIMARY = "PRIMARY KEY"
_COLLATION = re.compile(r"\bCOLLATE[ =](\w+)")
_CHARACTER_SET = re.compile(r"\b(?:CHARACTER SET |CHARSET=)(\w+)")
_NAME = re.compile(r"`(?:[^`]|``)*`|'(?:[^'\\]|\\.|'')*'")
_TYPE = re.compile(r"`(?:[^`]|``)*` (\w+)")
_PARSER = re.compile(r"WITH PARSER `((?:[^`]|``)+)`")
_NAMED_ZONE = re.compile(r"[A-Za-z]+/|UTC$")


def server_of(inventory: Inventory, site: str) -> ServerFacts:
    """Return what is known of the server that the inventory was taken at."""
    server = inventory.server
    known = {
        "version": server.version,
        "sql_mode": server.sql_mode,
        "time_zone": server.time_zone,
        "lower_case_table_names": str(server.lower_case_table_names),
    }
    return ServerFacts(site=site, version=server.version, variables=known)


def schema_of(inventory: Inventory) -> SchemaFacts:
    """Return what the schema needs of a server; how long rows are and how large all is was not recorded."""
    code = dict(inventory.code())
    return SchemaFacts(
        name=inventory.schema_name,
        collations=_gathered(_collations(inventory)),
        character_sets=_gathered(_character_sets(inventory)),
        engines=_gathered((table.engine, f"table {quote(name)}") for name, table in inventory.tables.items()),
        types=_gathered(_types(inventory)),
        parsers=_gathered(_parsers(inventory)),
        encrypted=tuple(_tables(inventory, r"`?ENCRYPTED`?='?YES|ENCRYPTION='Y'")),
        without_key=tuple(
            f"table {quote(name)}" for name, table in inventory.tables.items() if _PRIMARY not in table.indexes
        ),
        folded=tuple(f"table {quote(name)}" for name in [*inventory.tables, *inventory.views] if name != name.lower()),
        definers=definers(inventory),
        invokers=invokers(inventory),
        creations=len(inventory.triggers) + sum(name.startswith("FUNCTION ") for name in inventory.routines),
        events=tuple(f"event {quote(name)}" for name, event in inventory.events.items() if event.status == ENABLED),
        zones=frozenset(
            zone for each in code.values() if _NAMED_ZONE.match(zone := each.settings.get("time_zone", ""))
        ),
    )


def _collations(inventory: Inventory) -> Iterator[tuple[str, str]]:
    yield inventory.collation, "the schema itself"
    yield from _in_tables(inventory, _COLLATION)
    for title, code in inventory.code():
        for setting in ("collation_connection", "database_collation"):
            if value := code.settings.get(setting):
                yield value, title


def _character_sets(inventory: Inventory) -> Iterator[tuple[str, str]]:
    yield inventory.character_set, "the schema itself"
    yield from _in_tables(inventory, _CHARACTER_SET)
    for title, code in inventory.code():
        if value := code.settings.get("character_set_client"):
            yield value, title


def _in_tables(inventory: Inventory, pattern: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """Yield what a pattern finds in definitions, outside of names, comments and default values."""
    for name, table in inventory.tables.items():
        for text in (*table.columns.values(), table.options):
            for value in pattern.findall(_NAME.sub("``", text)):
                yield value, f"table {quote(name)}"


def _types(inventory: Inventory) -> Iterator[tuple[str, str]]:
    for name, table in inventory.tables.items():
        for column, definition in table.columns.items():
            if match := _TYPE.match(definition):
                yield match[1].lower(), f"table {quote(name)} column {quote(column)}"


def _parsers(inventory: Inventory) -> Iterator[tuple[str, str]]:
    for name, table in inventory.tables.items():
        for text in table.indexes.values():
            for parser in _PARSER.findall(text):
                yield parser.lower(), f"table {quote(name)}"


def _tables(inventory: Inventory, option: str) -> Iterator[str]:
    for name, table in inventory.tables.items():
        if re.search(option, table.options, re.IGNORECASE):
            yield f"table {quote(name)}"


def _gathered(pairs: Iterator[tuple[str, str]]) -> Places:
    found: dict[str, list[str]] = {}
    for key, place in pairs:
        places = found.setdefault(key, [])
        if place not in places:
            places.append(place)
    return {name: tuple(places) for name, places in sorted(found.items())}
