"""Takes the inventory of a restored schema and compares it with the one that was dumped."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from incorta_provider.dr.inventory import Difference, EventPolicy, Inventory, compare, definers
from incorta_provider.metadata.checksum import measure
from incorta_provider.metadata.definitions import read_definitions
from incorta_provider.metadata.endpoint import Endpoint, Session
from incorta_provider.metadata.engines.engine import begin_snapshot
from incorta_provider.metadata.errors import translated

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
    with there.connect() as session, translated(there.label):
        missing = missing_definers(session, expected)
    return missing + compare(expected, take_inventory(there), events=events)


def missing_definers(session: Session, inventory: Inventory) -> list[Difference]:
    """Return each object whose definer has no account at the session's server: it would fail when it is used."""
    with session.cursor() as cursor:
        cursor.execute("SELECT User, Host FROM mysql.user")
        accounts = {(str(user), str(host)) for user, host in cursor.fetchall()}
    return [
        Difference(title, "definer", f"an account '{user}'@'{host}' at this server", "none")
        for title, (user, host) in definers(inventory).items()
        if (user, host) not in accounts
    ]
