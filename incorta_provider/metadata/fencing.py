"""Make a database server refuse the writes to one schema, so that it still does when it comes back; and open it again.

What lasts is that the accounts which may write are locked, and that no event is left switched on; on MySQL
``read_only`` lasts as well, a MariaDB server forgets it with a restart (MariaDB manual, *read_only*; it has no ``SET
PERSIST``). Open sessions are ended, because a lock concerns logins only, and so is an event that still runs, whoever
defined it. Each part is tried whatever became of the others, is a pass where it is done already, and is read back.
Nothing of it goes to the binary log: a replica of this server is not fenced with it.

``read_only`` concerns the whole server, so it stays as it is where other schemas are on it.

The account that does this is one of its own: it stays open.

:raises DrError: the server cannot be asked, or the account lacks a right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import pymysql

from incorta_provider.dr.definers import Account
from incorta_provider.dr.fence_mark import FenceMark
from incorta_provider.dr.inventory import DISABLED, ENABLED
from incorta_provider.exceptions import ConfigurationError, DrError, TransientError
from incorta_provider.metadata.endpoint import Endpoint, Session
from incorta_provider.metadata.engines.detection import engine_of
from incorta_provider.metadata.engines.engine import Engine
from incorta_provider.metadata.errors import translate, translated
from incorta_provider.metadata.event_status import events_on, switch_events
from incorta_provider.metadata.fence_parts import (
    end_sessions,
    is_read_only,
    kill,
    lock,
    other_schemas,
    sessions_of,
    set_read_only,
)
from incorta_provider.metadata.fence_store import read_mark, remove_mark, write_mark
from incorta_provider.metadata.rights import ALL_SESSIONS, FENCE_SCHEMA, fence_grants
from incorta_provider.metadata.schema import holding
from incorta_provider.metadata.writers import Writers, read_writers


@dataclass(frozen=True, slots=True)
class Fenced:
    """A fence that was read back.

    :ivar accounts: who is locked, ``user@host``.
    :ivar administrators: who may write all schemas, and is not locked.
    :ivar read_only: ``on``, or why it was left off.
    """

    accounts: list[str]
    administrators: list[str]
    events: list[str]
    read_only: str


def fence_mark(endpoint: Endpoint) -> FenceMark | None:
    """Return by whom the endpoint's schema is fenced; None when it is not."""
    with endpoint.connect_to(None) as session, translated(endpoint.label):
        return read_mark(session, endpoint.schema)


def ensure_fence_rights(endpoint: Endpoint) -> None:
    """Refuse an account that could not fence.

    :raises ConfigurationError: lists the GRANT statements that are missing.
    """
    endpoint.ensure_granted(lambda engine: [ALL_SESSIONS, *fence_grants(engine)], " to fence")


def fence_schema(endpoint: Endpoint, mark: FenceMark, *, login: str) -> Fenced:
    """Fence the endpoint's schema.

    :param endpoint: with the login of the account that fences.
    :param mark: by whom; what is changed is added.
    :param login: the name of Incorta's account.
    :raises TransientError: names the parts that are not fenced, and why.
    :raises ConfigurationError: the account lacks a right, or is Incorta's own.
    """
    _ensure_other(endpoint, login)
    ensure_fence_rights(endpoint)
    there = endpoint.unlogged()
    with holding(there, FENCE_SCHEMA) as session, translated(there.label):
        engine = engine_of(session)
        writers = read_writers(session, engine, there.schema, login)
        others = other_schemas(session, there.schema)
        events = events_on(there)
        known = read_mark(session, there.schema) or mark
        switched = not others and not is_read_only(session)
        write_mark(session, there.schema, known.with_changes(writers.open, events, read_only=switched))
        parts: dict[str, Callable[[], None]] = {
            "accounts": lambda: lock(session, writers.open, "LOCK"),
            "sessions": lambda: end_sessions(session, {user for user, _ in writers.own}),
            "events": lambda: switch_events(
                there, sorted({*known.events, *events}), DISABLED, end=partial(kill, session)
            ),
        }
        if not others:
            parts["read_only"] = lambda: set_read_only(session, engine, "ON")
        failed = _tried(parts, there.label) or _still_open(session, engine, there, login, read_only=not others)
        found = read_mark(session, there.schema) or mark
    if failed:
        raise TransientError(
            "not fenced: " + "; ".join(f"{part}: {reason}" for part, reason in failed.items()),
            where=there.label,
            fix="Fix what is named and try again; what is fenced stays fenced.",
        )
    return Fenced(
        accounts=[_shown(account) for account in writers.own],
        administrators=[_shown(account) for account in writers.administrators],
        events=list(found.events),
        read_only=f"left as it is: {', '.join(others)} on the same server" if others else "on",
    )


def unfence_schema(endpoint: Endpoint, *, events: bool) -> FenceMark | None:
    """Undo what a fence changed, and nothing else; return its mark, None when there was none.

    :param events: whether events that the fence switched off are switched on again.
    :raises TransientError: something is still locked; the mark stays, so that it can be repeated.
    """
    if fence_mark(endpoint) is None:
        return None
    ensure_fence_rights(endpoint)
    there = endpoint.unlogged()
    with holding(there, FENCE_SCHEMA) as session, translated(there.label):
        engine = engine_of(session)
        if (mark := read_mark(session, there.schema)) is None:
            return None
        lock(session, mark.accounts, "UNLOCK")
        if mark.read_only:
            set_read_only(session, engine, "OFF")
        if events:
            switch_events(there, mark.events, ENABLED)
        locked = read_writers(session, engine, there.schema, "").locked & set(mark.accounts)
        if locked or (mark.read_only and is_read_only(session)):
            raise TransientError(
                f"still fenced: {', '.join(map(_shown, sorted(locked))) or 'read_only'}",
                where=there.label,
                fix="Try again; `SELECT User, Host FROM mysql.user` and @@read_only show the current state.",
            )
        remove_mark(session, there.schema)
    return mark


def _ensure_other(endpoint: Endpoint, login: str) -> None:
    if endpoint.user == login:
        raise ConfigurationError(
            f"the account {login} is Incorta's own: it would lock itself out",
            where=endpoint.label,
            fix="Give metadata.fence_conn_id an account of its own; docs/connections.md.",
        )


def _tried(parts: Mapping[str, Callable[[], None]], where: str) -> dict[str, str]:
    """Do every part and return why some failed."""
    failed = {}
    for name, part in parts.items():
        try:
            part()
        except DrError as error:
            failed[name] = error.what
        except pymysql.MySQLError as error:
            failed[name] = translate(error, where).what
    return failed


def _still_open(session: Session, engine: Engine, endpoint: Endpoint, login: str, *, read_only: bool) -> dict[str, str]:
    """Read back what a fence did, and return what does not hold."""
    writers: Writers = read_writers(session, engine, endpoint.schema, login)
    found = {
        "accounts": ", ".join(map(_shown, writers.open)),
        "sessions": ", ".join(map(str, sessions_of(session, {user for user, _ in writers.own}))),
        "events": ", ".join(events_on(endpoint)),
        "read_only": "off" if read_only and not is_read_only(session) else "",
    }
    return {part: f"read back as {still}" for part, still in found.items() if still}


def _shown(account: Account) -> str:
    return "@".join(account)
