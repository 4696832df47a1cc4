"""Views, routines, triggers and events of a schema: read, removed and made, whatever its tables are.

They belong to a schema by name and cannot be moved to another one, so a switch removes and makes them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import pymysql

from incorta_provider.dr.inventory import Code
from incorta_provider.dr.schema_switch import Holdings
from incorta_provider.dr.sql_names import quote
from incorta_provider.metadata.ddl import encoded, in_its_settings
from incorta_provider.metadata.definitions import read_code
from incorta_provider.metadata.endpoint import Endpoint, Session
from incorta_provider.metadata.errors import INCOMPLETE, number_of, translated

_LISTS: Mapping[str, tuple[str, str, str]] = {
    "EVENT": ("SELECT 'EVENT', EVENT_NAME FROM information_schema.EVENTS", "EVENT_SCHEMA", ""),
    "TRIGGER": ("SELECT 'TRIGGER', TRIGGER_NAME FROM information_schema.TRIGGERS", "TRIGGER_SCHEMA", ""),
    "VIEW": ("SELECT 'VIEW', TABLE_NAME FROM information_schema.TABLES", "TABLE_SCHEMA", " AND TABLE_TYPE = 'VIEW'"),
    "ROUTINE": ("SELECT ROUTINE_TYPE, ROUTINE_NAME FROM information_schema.ROUTINES", "ROUTINE_SCHEMA", ""),
    "TABLE": ("SELECT 'TABLE', TABLE_NAME FROM information_schema.TABLES", "TABLE_SCHEMA", " AND TABLE_TYPE <> 'VIEW'"),
}
"""How each kind is found: the query, the column of the schema, a condition. Views are listed without their definitions,
for which the server would open every one."""


def _listed(session: Session, kind: str, schema: str) -> list[tuple[str, str]]:
    """Return kind and name of each object; schema names are compared byte by byte."""
    query, column, condition = _LISTS[kind]
    with session.cursor() as cursor:
        cursor.execute(f"{query} WHERE {column} = %s AND BINARY {column} = BINARY %s{condition}", (schema, schema))
        return [(str(what), str(name)) for what, name in cursor.fetchall()]


def tables_of(session: Session, schema: str) -> tuple[str, ...]:
    """Return the names of all that a rename moves; empty when there is no such schema."""
    return tuple(name for _, name in _listed(session, "TABLE", schema))


def views_in_the_way(session: Session, schema: str, tables: Collection[str]) -> set[str]:
    """Return the names of views that stand where tables are to come; no rename takes their place."""
    return {name for _, name in _listed(session, "VIEW", schema)} & set(tables)


def read_holdings(endpoint: Endpoint, session: Session) -> Holdings | None:
    """Return what the endpoint's schema holds; None when there is no such schema.

    :param session: at the same server.
    """
    with session.cursor() as cursor:
        found = cursor.execute(
            "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA "
            "WHERE SCHEMA_NAME = %s AND BINARY SCHEMA_NAME = BINARY %s",
            (endpoint.schema, endpoint.schema),
        )
        character_set, collation = cursor.fetchone() or ("", "")
    if not found:
        return None
    with endpoint.connect() as there, translated(endpoint.label):
        code = read_code(there)
    return Holdings(
        character_set=character_set,
        collation=collation,
        tables=tables_of(session, endpoint.schema),
        views=code.views,
        routines=code.routines,
        triggers=code.triggers,
        events=code.events,
    )


def drop_code(session: Session, schema: str, *kinds: str, but: Collection[str] = ()) -> None:
    """Remove all objects of some kinds.

    :param kinds: of ``EVENT``, ``TRIGGER``, ``VIEW`` and ``ROUTINE``, in this order.
    :param but: those that stay, by kind and name, as in ``VIEW v``.
    """
    with session.cursor() as cursor:
        for kind in kinds:
            for what, name in _listed(session, kind, schema):
                if f"{what} {name}" in but:
                    continue
                cursor.execute(f"DROP {what} IF EXISTS {quote(schema)}.{quote(name)}")


def unchanged(endpoint: Endpoint, holdings: Holdings) -> set[str]:
    """Return the views and routines that the endpoint's schema has already as it is to have them.

    They name their tables, and need not be made again when these are others.

    :returns: by kind and name, as in ``VIEW v``.
    """
    with endpoint.connect() as session, translated(endpoint.label):
        code = read_code(session)
    views = {f"VIEW {name}" for name, view in code.views.items() if holdings.views.get(name) == view}
    return views | {name for name, routine in code.routines.items() if holdings.routines.get(name) == routine}


def make_code(endpoint: Endpoint, holdings: Holdings, *, partly: bool = False) -> list[str]:
    """Make every view, routine, trigger and event in the endpoint's schema, events switched off.

    Routines come before the views that call them, events last: they change the session's clock.

    :param partly: go on without the views that cannot be made.
    :returns: the names of these views; they were invalid where they come from, too.
    """
    with endpoint.connect() as session, translated(endpoint.label):
        for code in holdings.routines.values():
            _make(session, code, holdings.collation)
        left = _make_views(session, holdings, partly=partly)
        for code in (*holdings.triggers.values(), *holdings.events.values()):
            _make(session, code, holdings.collation)
    return left


def _make(session: Session, code: Code, collation: str) -> None:
    for statement in in_its_settings(code, encoded(code, code.definition), collation):
        session.query(statement)


def _make_views(session: Session, holdings: Holdings, *, partly: bool) -> list[str]:
    """Make the views, those that read others when these are there: again and again while there are fewer left."""
    waiting = dict(holdings.views)
    while waiting:
        made = list(_possible_views(session, waiting, holdings.collation, certain=not partly))
        if not made:
            return list(waiting)
        waiting = {name: code for name, code in waiting.items() if name not in made}
    return []


def _possible_views(session: Session, waiting: Mapping[str, Code], collation: str, *, certain: bool) -> Iterator[str]:
    """Yield the names of the views that could be made in one round.

    :param certain: raise when none can be.
    """
    refused: pymysql.MySQLError | None = None
    made = 0
    for name, code in waiting.items():
        settings = {"sql_mode": "", "database_collation": collation, **code.settings}
        try:
            _make(session, Code(definition=code.definition, settings=settings), collation)
        except pymysql.MySQLError as error:
            if number_of(error) not in INCOMPLETE:
                raise
            refused = error
        else:
            made += 1
            yield name
    if refused is not None and not made and certain:
        raise refused
