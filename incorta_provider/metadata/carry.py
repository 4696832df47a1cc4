"""Carries a recovery point over to another engine, as far as both mean the same by it.

The inventory is put into terms of neither engine, with the collations that the topology names. From that, empty
tables are made at the target's server in a scratch schema, and read back. If they mean the same, the restored schema is
compared with the inventory in the target's own terms, as with any other.

:raises ConfigurationError: lists everything that has no exact counterpart; nothing was restored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import pymysql
from pymysql.cursors import Cursor

from incorta_provider.dr.inventory import Inventory
from incorta_provider.dr.metadata_rules import EngineMapping
from incorta_provider.dr.plain_table import NotPlainError, PlainTable, plain_table
from incorta_provider.dr.sql_names import quote
from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.metadata.checksum import Measure
from incorta_provider.metadata.definitions import read_definitions
from incorta_provider.metadata.endpoint import Endpoint, Session
from incorta_provider.metadata.engines.detection import engine_for, engine_of
from incorta_provider.metadata.errors import translate, translated
from incorta_provider.metadata.rights import SCRATCH_PREFIX
from incorta_provider.metadata.schema import drop, holding

SCHEMA = ""
"""Stands for the schema itself among the names of tables."""


def carried(endpoint: Endpoint, inventory: Inventory, mapping: EngineMapping | None) -> Inventory:
    """Return the inventory in the words of the endpoint's engine; as it is when that is the engine it was taken from.

    :param mapping: the topology's, without which nothing is carried over to another engine.
    """
    here, there = endpoint.engine(), engine_for(inventory.server.version)
    if here.name == there.name:
        return inventory
    if mapping is None:
        raise ConfigurationError(
            f"the dump is {there.name}'s, the server is a {here.name}",
            where=endpoint.label,
            fix=f"Use a {there.name} server at this site, or name metadata.mapping in the topology.",
        )
    tables, refused = _mapped(inventory, mapping)
    scratch = SCRATCH_PREFIX + "mapping_" + hashlib.sha256(inventory.model_dump_json().encode()).hexdigest()[:16]
    collation = mapping.collations.get(inventory.collation, inventory.collation)
    with holding(endpoint, scratch) as session, translated(endpoint.label):
        unknown = _unknown_collations(session, collation, tables)
        refused += unknown.values()
        plain = {name: table for name, table in tables.items() if name not in unknown}
        if SCHEMA not in unknown:
            made, errors = _made(endpoint, session, scratch, collation, plain, inventory)
            refused += errors or [
                f"table {quote(name)} would be another" for name in plain if not _same(plain, made, name)
            ]
    if refused:
        raise ConfigurationError(
            f"{len(refused)} thing(s) have no exact counterpart on {here.name}: {'; '.join(refused)}",
            where=endpoint.label,
            fix=f"Name collations in metadata.mapping of the topology, or use a {there.name} server at this site.",
        )
    return made


def _mapped(inventory: Inventory, mapping: EngineMapping) -> tuple[dict[str, PlainTable], list[str]]:
    """Return the tables with the collations that the topology wants, and what cannot be carried over."""
    tables, refused = {}, [title for title, _ in inventory.code()]
    for name, table in inventory.tables.items():
        try:
            tables[name] = plain_table(table).with_collations(mapping.collations)
        except NotPlainError as error:
            refused.append(f"table {quote(name)}, {error}")
    return tables, refused


def _unknown_collations(session: Session, collation: str, tables: Mapping[str, PlainTable]) -> dict[str, str]:
    """Return what to say of each table, and of the schema, that wants a collation which the server does not have."""
    with session.cursor() as cursor:
        cursor.execute(engine_of(session).collations)
        known = {str(name) for (name,) in cursor.fetchall()}
    unknown = {}
    for name, table in tables.items():
        if lacking := table.collations() - known:
            unknown[name] = f"table {quote(name)}, collation {', '.join(sorted(lacking))}"
    return unknown if collation in known else unknown | {SCHEMA: f"the schema's collation {collation}"}


def _made(
    endpoint: Endpoint,
    session: Session,
    scratch: str,
    collation: str,
    tables: Mapping[str, PlainTable],
    inventory: Inventory,
) -> tuple[Inventory, list[str]]:
    """Make the tables empty; return the inventory in the words in which the server shows them, and what it refused."""
    drop(session, scratch)
    try:
        with session.cursor() as cursor:
            charset = collation.partition("_")[0]
            cursor.execute(f"CREATE DATABASE {quote(scratch)} CHARACTER SET {charset} COLLATE {collation}")
        with endpoint.connect_to(scratch) as there, there.cursor() as cursor:
            cursor.execute("SET SESSION foreign_key_checks = 0")
            errors = [error for name, table in tables.items() if (error := _refusal(cursor, name, table))]
            shown = read_definitions(there)
    finally:
        drop(session, scratch)
    measures = {name: Measure(table.rows, table.checksum) for name, table in inventory.tables.items()}
    made = shown.inventory(dict.fromkeys(shown.tables, Measure(0, "")) | measures, inventory.position)
    return made.model_copy(update={"schema_name": inventory.schema_name, "rows_only": True}), errors


def _refusal(cursor: Cursor, name: str, table: PlainTable) -> str:
    """Make a table; return why the server did not, empty when it did."""
    try:
        cursor.execute(table.create(name))
    except (pymysql.err.OperationalError, pymysql.err.ProgrammingError, pymysql.err.InternalError) as error:
        if isinstance(translate(error, name), TransientError):
            raise
        return f"table {quote(name)}, {error.args[-1]}"
    return ""


def _same(tables: Mapping[str, PlainTable], made: Inventory, name: str) -> bool:
    try:
        return name in made.tables and plain_table(made.tables[name]).same_as(tables[name])
    except NotPlainError:
        return False
