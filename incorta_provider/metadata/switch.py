"""The window: makes other tables, and what belongs to them, the live schema.

Tables go by one RENAME TABLE, which the server does as a whole or not at all. It refuses to take a table with a trigger
to another schema, and moves neither views nor routines nor events (MariaDB manual, *RENAME TABLE*; MySQL manual,
*RENAME TABLE Statement*): these are removed before or after it, and made again. Foreign keys follow their tables.

Each step looks at what is there, so that the same call goes on wherever one was killed.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from incorta_provider.dr.inventory import DISABLED, ENABLED, Event
from incorta_provider.dr.schema_switch import Holdings, moves, rename_statement
from incorta_provider.dr.sql_names import quote
from incorta_provider.exceptions import PreconditionError
from incorta_provider.metadata.code_objects import drop_code, make_code, tables_of, unchanged, views_in_the_way
from incorta_provider.metadata.ddl import definer_clause, encoded, in_its_settings
from incorta_provider.metadata.endpoint import Endpoint, Session
from incorta_provider.metadata.engines.detection import engine_of
from incorta_provider.metadata.errors import translated

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Window:
    """What a switch did.

    :ivar seconds: from the first change to the live schema to the last.
    :ivar left_out: views that could not be made; they were invalid before, too.
    """

    seconds: float
    left_out: list[str]


def make_live(
    endpoint: Endpoint,
    session: Session,
    holdings: Holdings,
    *,
    source: str,
    aside: str,
    partly: bool = False,
) -> Window:
    """Make the tables of ``source`` the live ones, put the present ones into ``aside``, and make what belongs to them.

    Events are made switched off.

    :param session: at no schema.
    :param holdings: what the live schema is to hold.
    :param partly: leave out views that cannot be made.
    :raises TransientError: sessions hold tables of the live schema.
    """
    with translated(endpoint.label):
        _make_room(session, endpoint.schema, holdings, (source, aside))
        drop_code(session, source, "TRIGGER")
        waiting = tables_of(session, source)
        kept = unchanged(endpoint, holdings)
        in_the_way = views_in_the_way(session, endpoint.schema, holdings.tables)
        started = time.monotonic()
        drop_code(session, endpoint.schema, "EVENT", "TRIGGER")
        renames = moves(
            live=endpoint.schema,
            found=tables_of(session, endpoint.schema),
            aside=aside,
            source=source,
            waiting=waiting,
            wanted=holdings.tables,
        )
        with session.cursor() as cursor:
            for name in in_the_way:
                cursor.execute(f"DROP VIEW IF EXISTS {quote(endpoint.schema)}.{quote(name)}")
            if renames:
                cursor.execute(rename_statement(renames))
            drop_code(session, endpoint.schema, "VIEW", "ROUTINE", but=kept)
            _set_collation(session, endpoint.schema, holdings)
    left_out = make_code(endpoint, holdings.without(kept), partly=partly)
    window = Window(round(time.monotonic() - started, 3), left_out)
    log.info("%s: %d tables moved, the window was %.3f s", endpoint.label, len(renames), window.seconds)
    return window


def ensure_nothing_refers(session: Session, schema: str, where: str) -> None:
    """Refuse to move tables that another schema's foreign keys refer to: these would follow the old tables.

    :raises PreconditionError: names them.
    """
    with session.cursor() as cursor:
        cursor.execute(
            engine_of(session).references_from_outside,
            (schema, schema),
        )
        found = sorted(str(table) for (table,) in cursor.fetchall())
    if found:
        raise PreconditionError(
            f"foreign keys of other schemas refer to tables of {schema}: {', '.join(found)}",
            where=where,
            fix="Nothing was changed. Drop these foreign keys, or move their tables into the schema.",
        )


def ensure_alone(endpoint: Endpoint) -> None:
    """Refuse a schema that could not be switched, before anything depends on it.

    :raises DrError: what :func:`ensure_nothing_refers` finds, or the server cannot be asked.
    """
    with endpoint.connect_to(None) as session, translated(endpoint.label):
        ensure_nothing_refers(session, endpoint.schema, endpoint.label)


def set_status(endpoint: Endpoint, name: str, event: Event, collation: str) -> None:
    """Give an event that was made switched off the status that was recorded."""
    if event.status != DISABLED:
        switch_event(endpoint, name, event, collation, event.status)


def switch_event(endpoint: Endpoint, name: str, event: Event, collation: str, status: str) -> None:
    """Give an event a status.

    In a session with its own settings and with its definer named: ALTER EVENT would record the session's character set
    and make us the definer (MariaDB manual, *ALTER EVENT*).

    :param collation: the schema's.
    """
    action = {ENABLED: "ENABLE", DISABLED: "DISABLE"}.get(status, "DISABLE ON SLAVE")
    statement = encoded(event, f"ALTER {definer_clause(event)} EVENT {quote(name)} {action}")
    with endpoint.connect() as session, translated(endpoint.label):
        for each in in_its_settings(event, statement, collation):
            session.query(each)


def _make_room(session: Session, live: str, holdings: Holdings, others: tuple[str, ...]) -> None:
    """Make the schemas that are not there; the live one may be absent as well."""
    with session.cursor() as cursor:
        for schema in (live, *others):
            cursor.execute(
                f"CREATE DATABASE IF NOT EXISTS {quote(schema)} "
                f"CHARACTER SET {holdings.character_set} COLLATE {holdings.collation}"
            )


def _set_collation(session: Session, schema: str, holdings: Holdings) -> None:
    with session.cursor() as cursor:
        cursor.execute(
            f"ALTER DATABASE {quote(schema)} CHARACTER SET {holdings.character_set} COLLATE {holdings.collation}"
        )
