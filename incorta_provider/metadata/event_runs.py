"""What runs by events at a server: the executions of a schema's events, and what the scheduler has in its hands.

Told by the process list, for which the account needs PROCESS. MariaDB 10.11 and MySQL 9 show both in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from incorta_provider.metadata.endpoint import Session

_SCHEDULER = "event_scheduler"
_IDLE = frozenset({"Waiting for next activation", "Waiting on empty queue"})
"""The scheduler waits, so it has an event that fell due neither to start nor to note down."""


@dataclass(frozen=True, slots=True)
class EventRuns:
    """What was seen at one moment.

    :ivar executions: sessions that carry out an event of the schema, by their numbers.
    :ivar beginning: whether an event of some schema is about to be carried out.
    """

    executions: list[int]
    beginning: bool

    @property
    def none_is_left(self) -> bool:
        """Whether no event of the schema that is off by now can still write anything."""
        return not self.executions and not self.beginning


def event_runs(session: Session, schema: str) -> EventRuns:
    """Look once."""
    with session.cursor() as cursor:
        cursor.execute("SHOW PROCESSLIST")
        rows = list(cursor.fetchall())
    return EventRuns(
        executions=[int(row[0]) for row in rows if _is_execution(row, schema)],
        beginning=any(row[1] == _SCHEDULER and not (row[4] == "Daemon" and row[6] in _IDLE) for row in rows),
    )


def _is_execution(row: tuple[Any, ...], schema: str) -> bool:
    """An execution shows as a session of the event's definer that has had no command since it was made."""
    _, user, _, database, command, *_ = row
    own = (_SCHEDULER, "system user")
    return command == "Connect" and user not in own and str(database).lower() == schema.lower()
