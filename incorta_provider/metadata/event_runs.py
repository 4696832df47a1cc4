"""What runs by events at a server: the executions of a schema's events, and what the scheduler has in its hands.

Told by the process list, for which the account needs PROCESS: without it the server shows its own sessions only.
MariaDB 10.11 and MySQL 9 show both in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from incorta_provider.metadata.endpoint import Session

_SCHEDULER = "event_scheduler"
_IDLE = frozenset({"Waiting for next activation", "Waiting on empty queue"})
"""The scheduler waits, so it has an event that fell due neither to start nor to note down."""

_NAMED = (
    "SELECT 1 FROM (SELECT EVENT_DEFINITION AS body FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE() "
    "UNION ALL SELECT ROUTINE_DEFINITION FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE() "
    "UNION ALL SELECT ACTION_STATEMENT FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()) AS code "
    "WHERE LOCATE(CONCAT(%s, '.'), REPLACE(REPLACE(body, '`', ''), ' ', '')) "
    "AND EXISTS (SELECT 1 FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE())"
)


@dataclass(frozen=True, slots=True)
class EventRuns:
    """What was seen at one moment.

    :ivar executions: sessions that carry out an event of the schema, by their numbers.
    :ivar elsewhere: those that carry one out in another schema, which code of ours names. Within a routine a session is
        in the schema of that: the event may be ours, or one of that schema.
    :ivar beginning: whether an event of some schema is about to be carried out.
    """

    executions: list[int]
    elsewhere: list[int]
    beginning: bool

    @property
    def none_is_left(self) -> bool:
        """Whether no event of the schema that is off by now can still write anything."""
        return not self.executions and not self.elsewhere and not self.beginning


def event_runs(session: Session, schema: str) -> EventRuns:
    """Look once.

    :param session: in the schema.
    """
    with session.cursor() as cursor:
        cursor.execute("SHOW PROCESSLIST")
        rows = list(cursor.fetchall())
    executions = {int(row[0]): str(row[3]) for row in rows if _is_execution(row)}
    ours = [number for number, database in executions.items() if database.lower() == schema.lower()]
    others = {database for number, database in executions.items() if number not in ours}
    named = {database for database in others if _is_named(session, database)}
    return EventRuns(
        executions=ours,
        elsewhere=[number for number, database in executions.items() if database in named],
        beginning=any(row[1] == _SCHEDULER and not (row[4] == "Daemon" and row[6] in _IDLE) for row in rows),
    )


def _is_execution(row: tuple[Any, ...]) -> bool:
    """Tell whether a session carries out an event.

    It shows as a session of the event's definer, from the definer's host and no port of it, that has had no command
    since it was made. One that was killed may still be at its statement, or undo it.
    """
    _, user, host, _, command, *_ = row
    own = (_SCHEDULER, "system user")
    has_port = str(host).count(":") == 1  # more of them are an address of IPv6, with or without a port
    return command in ("Connect", "Killed") and user not in own and not has_port


def _is_named(session: Session, other: str) -> bool:
    """Tell whether an event of the session's schema may use routines of another one: code names that."""
    with session.cursor() as cursor:
        cursor.execute(_NAMED, (other,))
        return cursor.fetchone() is not None
