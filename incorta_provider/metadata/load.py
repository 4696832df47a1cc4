"""Loads a dump into a schema that exists and is empty.

:raises IntegrityError: the dump is damaged.
:raises TransientError: the server takes nothing any more.
:raises DrError: the SQL client failed; the schema is then half loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from incorta_provider.dr.inventory import Event, Inventory
from incorta_provider.dr.plain_table import plain_table
from incorta_provider.dr.sql_names import quote, rename_schema
from incorta_provider.exceptions import TransientError
from incorta_provider.metadata.archive import read_archive
from incorta_provider.metadata.client import running
from incorta_provider.metadata.ddl import encoded, in_its_settings
from incorta_provider.metadata.endpoint import STATEMENT_SECONDS, Endpoint
from incorta_provider.metadata.errors import translated
from incorta_provider.metadata.row_statements import row_statements
from incorta_provider.metadata.watch import watched

OPTIONS = (
    "--batch",
    "--binary-mode",
    "--comments",
    "--skip-reconnect",
    "--max-allowed-packet=1G",
    "--local-infile=0",
)
"""Without ``--binary-mode`` the client turns the line ends of routines from CR LF into LF, without ``--comments`` it
drops their comments. A client that connects again would go on without the settings of the dump."""

_NAMING = re.compile(rb"\n(?:/\*!50001 VIEW .*? \*/;|ALTER DATABASE `[^\n]* ;)(?=\n|\Z)", re.DOTALL)
"""The statements of a dump that may name its own schema, each on lines of its own; a line of data begins otherwise."""

_MARKS = ((b"\n/*!50001 VIEW ", b" */;\n"), (b"\nALTER DATABASE `", b" ;\n"))
"""How each begins and ends."""


def load(endpoint: Endpoint, schema: str, dump: Path, inventory: Inventory) -> None:
    """Make everything of the dump in ``schema``, then the events, switched off.

    :param schema: may have another name than the one that was dumped.
    """
    there = replace(endpoint, schema=schema)
    pieces = read_archive(dump)
    if inventory.rows_only:
        _create_tables(there, inventory)
        _feed(there, row_statements(pieces))
        return
    if schema != inventory.schema_name:
        pieces = renamed(pieces, inventory.schema_name, schema)
    _feed(there, pieces)
    for event in inventory.events.values():
        _create_event(there, event, inventory.collation)


def _create_tables(endpoint: Endpoint, inventory: Inventory) -> None:
    """Make the tables empty, by the very statements that were tried: MySQL shows which words were used."""
    with endpoint.connect() as session, translated(endpoint.label), session.cursor() as cursor:
        cursor.execute("SET SESSION foreign_key_checks = 0")
        for name, table in inventory.tables.items():
            cursor.execute(plain_table(table).create(name))


def _feed(endpoint: Endpoint, pieces: Iterator[bytes]) -> None:
    programs = endpoint.engine().programs
    with (
        running("sql", endpoint, [*OPTIONS, endpoint.schema], programs=programs) as client,
        watched(client.process, STATEMENT_SECONDS) as watch,
    ):
        try:
            for piece in pieces:
                client.input.write(piece)
                watch.goes_on()
            client.input.close()
        except BrokenPipeError:
            client.process.wait()
            raise _stalled(endpoint) if watch.ended else client.failure() from None
        client.process.wait()
        if watch.ended:
            raise _stalled(endpoint)
        client.finish()


def _stalled(endpoint: Endpoint) -> TransientError:
    """A server whose disk is full while it writes its binary log waits for room, and says so in its own log only."""
    return TransientError(
        f"the server accepted no data for {STATEMENT_SECONDS} s",
        where=endpoint.label,
        fix="Read its error log: it may be waiting for room on its disk, for example. Then try again.",
    )


def renamed(pieces: Iterator[bytes], old: str, new: str) -> Iterator[bytes]:
    """Yield a dump that names another schema wherever it names its own.

    A restore under another name would otherwise reach into the schema of that name, which may be the live one.
    """
    held = b""
    for piece in pieces:
        held += piece
        cut = _complete(held)
        yield _NAMING.sub(lambda found: _with_name(found[0], old, new), held[:cut])
        held = held[cut:]
    yield _NAMING.sub(lambda found: _with_name(found[0], old, new), held)


def _complete(text: bytes) -> int:
    """Return how much of the text can be let go: no statement is cut, nor the line feed that one may begin with."""
    cut = max(0, text.rfind(b"\n"))
    for begin, end in _MARKS:
        start = text.rfind(begin)
        if start >= 0 and text.find(end, start) < 0:
            cut = min(cut, start)
    return cut


def _with_name(statement: bytes, old: str, new: str) -> bytes:
    text = rename_schema(statement.decode(errors="surrogateescape"), old, new)
    text = text.replace(f"\nALTER DATABASE {quote(old)} ", f"\nALTER DATABASE {quote(new)} ")
    return text.encode(errors="surrogateescape")


def _create_event(endpoint: Endpoint, event: Event, collation: str) -> None:
    """Make one event, in a session of its own for the sake of its settings.

    The session's clock stands at the event's creation: one that was due meanwhile would not be made otherwise.
    """
    with endpoint.connect() as session, translated(endpoint.label):
        for statement in in_its_settings(event, encoded(event, event.definition), collation):
            session.query(statement)
