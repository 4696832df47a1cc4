"""Takes the inventory of a schema and compares it with one that was dumped, or with another schema row by row."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import replace

from incorta_provider.dr.inventory import (
    DISABLED,
    Difference,
    EventPolicy,
    Inventory,
    compare,
    definers,
    invokers,
    unequal_tables,
)
from incorta_provider.exceptions import DrError
from incorta_provider.metadata.checksum import measure
from incorta_provider.metadata.definitions import read_definitions
from incorta_provider.metadata.endpoint import Endpoint, Session
from incorta_provider.metadata.engines.detection import engine_of
from incorta_provider.metadata.engines.engine import begin_snapshot
from incorta_provider.metadata.errors import translated
from incorta_provider.metadata.row_diff import ComparedTable, differing_rows
from incorta_provider.metadata.row_keys import row_keys

log = logging.getLogger(__name__)

READERS = 4
"""Sessions that compute checksums at the same time."""


def take_inventory(endpoint: Endpoint) -> Inventory:
    """Return the inventory of a schema that nobody writes to."""
    with ExitStack() as stack, translated(endpoint.label):
        sessions = [stack.enter_context(endpoint.connect()) for _ in range(READERS)]
        definitions = read_definitions(sessions[0])
        for session in sessions:
            begin_snapshot(session)
        return definitions.inventory(measure(sessions, definitions.columns))


def differences(
    endpoint: Endpoint, expected: Inventory, *, schema: str = "", events: EventPolicy = "disabled"
) -> list[Difference]:
    """Compare a schema in full with an inventory.

    :param schema: when it is not the endpoint's own.
    """
    there = replace(endpoint, schema=schema or endpoint.schema)
    return absent_definers(there, expected) + compare(expected, take_inventory(there), events=events)


def absent_definers(endpoint: Endpoint, expected: Inventory) -> list[Difference]:
    """Return each object whose definer has no account at the endpoint's server."""
    with endpoint.connect() as session, translated(endpoint.label):
        return missing_definers(session, expected)


def compare_schemas(expected: Endpoint, actual: Endpoint) -> list[Difference]:
    """Compare two schemas in full, with the rows in which tables differ; an event may be off or as it was."""
    wanted, got = take_inventory(expected), take_inventory(actual)
    found = [
        difference
        for difference in compare(wanted, got, events="as_recorded")
        if (difference.what, difference.actual) != ("status", DISABLED)
    ]
    return found + row_differences(expected, actual, wanted, got)


def row_differences(expected: Endpoint, actual: Endpoint, wanted: Inventory, got: Inventory) -> list[Difference]:
    """Return the rows in which tables differ, as far as the two schemas hold them now.

    :param wanted: of the schema that the other one should equal, such as it is or was.
    :param got: of the other one.
    """
    names = unequal_tables(wanted, got)
    if not names:
        return []
    found: list[Difference] = []
    with expected.connect() as one, actual.connect() as other:
        with translated(expected.label), one.cursor() as cursor:
            columns, keys = read_definitions(one).columns, row_keys(cursor)
        with translated(f"{expected.label} or {actual.label}"):
            for session in (one, other):
                begin_snapshot(session)
            for name in names:
                table = ComparedTable(name, columns.get(name, []), keys.get(name, ()))
                found += differing_rows(one, other, table, rows=wanted.tables[name].rows)
    return found


def rows_now(source: Endpoint, restored: Endpoint, wanted: Inventory, got: Inventory) -> list[Difference]:
    """Return the rows that differ from what the source holds now: a help to a person, and no verdict.

    It has gone on since it was dumped, unless it was fenced. One that cannot be asked changes nothing.

    :param wanted: what was dumped.
    :param got: what was restored.
    """
    try:
        rows = row_differences(source, restored, wanted, got)
    except DrError as reason:
        log.warning("the source cannot be asked which rows differ: %s", reason)
        return []
    return [replace(row, what=f"{row.what}, against the source as it is now") for row in rows]


def missing_definers(session: Session, inventory: Inventory) -> list[Difference]:
    """Return each object whose definer has no account at the session's server: it would fail when it is used."""
    needless = frozenset() if engine_of(session).definers_must_exist else invokers(inventory)
    with session.cursor() as cursor:
        cursor.execute("SELECT User, Host FROM mysql.user")
        accounts = {(str(user), str(host)) for user, host in cursor.fetchall()}
    return [
        Difference(title, "definer", f"an account '{user}'@'{host}' at this server", "none")
        for title, (user, host) in definers(inventory).items()
        if (user, host) not in accounts and title not in needless
    ]
