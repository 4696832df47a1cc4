"""Makes, drops and holds whole schemas.

:raises TransientError: sessions hold the schema, or another run works on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from incorta_provider.dr.inventory import Inventory
from incorta_provider.dr.sql_names import quote
from incorta_provider.exceptions import TransientError
from incorta_provider.metadata.endpoint import Endpoint, Session
from incorta_provider.metadata.engines.detection import ensure_same_engine
from incorta_provider.metadata.errors import translated

LOCK_SECONDS = 10
"""How long to wait for a run that was killed: its last statement may still be under way at the server."""


@contextmanager
def holding(endpoint: Endpoint, schema: str) -> Iterator[Session]:
    """Work on a schema alone, as long as the block lasts; the server lets go when this process dies.

    :returns: a session at no schema.
    :raises TransientError: another run holds it.
    """
    with endpoint.connect_to(None) as session:
        with translated(endpoint.label), session.cursor() as cursor:
            cursor.execute("SELECT GET_LOCK(%s, %s)", (lock_name(schema), LOCK_SECONDS))
            (got,) = cursor.fetchone() or (0,)
        if got != 1:
            raise TransientError(
                f"another run works on schema {schema}", where=endpoint.label, fix="Wait until it has ended."
            )
        yield session


def lock_name(schema: str) -> str:
    """Return the name of a schema's lock: at most 64 characters, which is what every server takes."""
    return f"incorta-dr {hashlib.sha256(schema.encode()).hexdigest()[:40]}"


def recreate(session: Session, schema: str, inventory: Inventory) -> None:
    """Make an empty schema, in place of an older one, with the character set of the one that was dumped.

    :raises ConfigurationError: the server is of another engine; nothing was dropped.
    """
    ensure_same_engine(session, inventory.server.version)
    drop(session, schema)
    with session.cursor() as cursor:
        cursor.execute(
            f"CREATE DATABASE {quote(schema)} CHARACTER SET {inventory.character_set} COLLATE {inventory.collation}"
        )


def drop(session: Session, schema: str) -> None:
    """Drop a schema if it exists."""
    with session.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {quote(schema)}")


def exists(session: Session, schema: str) -> bool:
    """Return whether there is such a schema, empty or not."""
    with session.cursor() as cursor:
        found = cursor.execute(
            "SELECT 1 FROM information_schema.SCHEMATA WHERE BINARY SCHEMA_NAME = BINARY %(schema)s", {"schema": schema}
        )
    return found > 0


def holds_anything(session: Session, schema: str) -> bool:
    """Return whether a schema exists and has any table, view, routine or event."""
    with session.cursor() as cursor:
        found = cursor.execute(
            "SELECT 1 FROM information_schema.TABLES WHERE BINARY TABLE_SCHEMA = BINARY %(schema)s "
            "UNION ALL SELECT 1 FROM information_schema.ROUTINES WHERE BINARY ROUTINE_SCHEMA = BINARY %(schema)s "
            "UNION ALL SELECT 1 FROM information_schema.EVENTS WHERE BINARY EVENT_SCHEMA = BINARY %(schema)s LIMIT 1",
            {"schema": schema},
        )
    return found > 0
