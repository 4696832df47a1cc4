"""Consistent snapshots with the binary log position that each stands for (MariaDB).

``START TRANSACTION WITH CONSISTENT SNAPSHOT`` takes no lock, and ``Binlog_snapshot_file`` and ``_position`` tell where
in the binary log it lies (MariaDB manual, same name). Two snapshots at one position are the same state.

:raises ConfigurationError: the binary log is off, or leaves the schema out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from incorta_provider.exceptions import ConfigurationError
from incorta_provider.metadata.endpoint import Session

_BEGIN = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"


def ensure_positions(session: Session) -> None:
    """Refuse a server whose binary log does not tell states of the session's schema apart."""
    with session.cursor() as cursor:
        cursor.execute("SELECT @@log_bin, DATABASE()")
        on, schema = cursor.fetchone() or (0, "")
        if not on:
            raise _useless("the binary log is off", "Set log_bin in the server's configuration and restart it.")
        cursor.execute("SHOW MASTER STATUS")
        _, _, only, ignored = cursor.fetchone() or ("", "", "", "")
    if schema in ignored.split(",") or (only and schema not in only.split(",")):
        raise _useless("the binary log leaves this schema out", "Remove it from binlog_ignore_db and binlog_do_db.")
    if not position_of(session):
        raise _useless("the server does not tell the position of a snapshot", "Only MariaDB is supported so far.")


def position_of(session: Session) -> str:
    """Return the position of the session's snapshot, ``file:offset``."""
    with session.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'Binlog_snapshot_%'")
        status = {str(name).lower(): str(value) for name, value in cursor.fetchall()}
    file, offset = status.get("binlog_snapshot_file"), status.get("binlog_snapshot_position")
    return f"{file}:{offset}" if file else ""


class Ladder:
    """Snapshots taken one after another while the dump client starts, until it says which state it has.

    Of the newest positions, a few sessions each are kept. On a quiet server all are at one position; on a busy one the
    right one is among them, so that no lock is needed and seldom a second try.

    :param sessions: all that may be used.
    :param wanted: how many to keep at one position.
    """

    def __init__(self, sessions: Sequence[Session], wanted: int) -> None:
        self._free = deque(sessions)
        self._wanted = wanted
        self._held: dict[str, list[Session]] = {}

    def climb(self) -> None:
        """Take one more snapshot, at the price of the oldest when every session holds one."""
        session = self._next()
        with session.cursor() as cursor:
            cursor.execute(_BEGIN)
        self._held.setdefault(position_of(session), []).append(session)

    def at(self, position: str) -> list[Session]:
        """Return the sessions whose snapshot is at a position."""
        return self._held.get(position, [])

    def _next(self) -> Session:
        newest = next(reversed(self._held.values()), [])
        if len(newest) > self._wanted:
            return newest.pop()
        if self._free:
            return self._free.popleft()
        return self._oldest()

    def _oldest(self) -> Session:
        position = next(iter(self._held))
        session = self._held[position].pop()
        if not self._held[position]:
            del self._held[position]
        return session


def begin_snapshot(session: Session) -> None:
    """Take a snapshot whose position does not matter."""
    with session.cursor() as cursor:
        cursor.execute(_BEGIN)


def _useless(what: str, fix: str) -> ConfigurationError:
    return ConfigurationError(
        f"dump and inventory cannot be shown to be one state: {what}", where="metadata database", fix=fix
    )
