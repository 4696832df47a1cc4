"""Loads a dump into a schema that exists and is empty.

:raises IntegrityError: the dump is damaged.
:raises DrError: the SQL client failed; the schema is then half loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from incorta_provider.dr.inventory import Event, Inventory
from incorta_provider.dr.sql_names import rename_schema
from incorta_provider.metadata.archive import read_archive
from incorta_provider.metadata.client import running
from incorta_provider.metadata.ddl import encoded, session_settings
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.errors import translated

OPTIONS = (
    "--batch",
    "--binary-mode",
    "--comments",
    "--skip-reconnect",
    "--max-allowed-packet=1G",
    "--local-infile=0",
)
"""Without ``--binary-mode`` the client turns the line ends of routines from CR LF into LF, without ``--comments`` it
drops their comments. A client that connects anew would go on without the settings of the dump."""

_VIEW = re.compile(rb"\n/\*!50001 VIEW .*? \*/;\n", re.DOTALL)
_VIEW_START, _VIEW_END = b"\n/*!50001 VIEW ", b" */;\n"


def load(endpoint: Endpoint, schema: str, dump: Path, inventory: Inventory) -> None:
    """Make everything of the dump in ``schema``, then the events, switched off.

    :param schema: may have another name than the one that was dumped.
    """
    there = replace(endpoint, schema=schema)
    pieces = read_archive(dump)
    if schema != inventory.schema_name:
        pieces = renamed_views(pieces, inventory.schema_name, schema)
    _feed(there, pieces)
    for event in inventory.events.values():
        _create_event(there, event)


def _feed(endpoint: Endpoint, pieces: Iterator[bytes]) -> None:
    with running("sql", endpoint, [*OPTIONS, endpoint.schema]) as client:
        try:
            for piece in pieces:
                client.input.write(piece)
            client.input.close()
        except BrokenPipeError:
            client.process.wait()
            raise client.failure() from None
        client.finish()


def renamed_views(pieces: Iterator[bytes], old: str, new: str) -> Iterator[bytes]:
    """Yield a dump whose views name another schema where they name their own.

    The dump client writes a view as one statement that begins on a line of its own, and never breaks a line of data.
    """
    held = b""
    for piece in pieces:
        held += piece
        cut = _complete(held)
        yield _VIEW.sub(lambda view: _renamed(view[0], old, new), held[:cut])
        held = held[cut:]
    yield _VIEW.sub(lambda view: _renamed(view[0], old, new), held)


def _complete(text: bytes) -> int:
    """Return how much of the text ends neither in a view nor in what may become the start of one."""
    start = text.rfind(_VIEW_START)
    if start >= 0 and text.find(_VIEW_END, start) < 0:
        return start
    return max(0, len(text) - len(_VIEW_START))


def _renamed(view: bytes, old: str, new: str) -> bytes:
    return rename_schema(view.decode(errors="surrogateescape"), old, new).encode(errors="surrogateescape")


def _create_event(endpoint: Endpoint, event: Event) -> None:
    """Make one event, in a session of its own for the sake of its settings.

    The session's clock stands at the event's creation: one that was due meanwhile would not be made otherwise.
    """
    with endpoint.connect() as session, translated(endpoint.label), session.cursor() as cursor:
        cursor.execute(session_settings(event))
        session.query(encoded(event))
