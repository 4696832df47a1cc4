"""Consistent snapshots, and the position in the binary log that each stands for (MariaDB).

``START TRANSACTION WITH CONSISTENT SNAPSHOT`` takes no lock, and ``Binlog_snapshot_file`` and ``_position`` tell where
in the binary log it lies (MariaDB manual, same name). Two snapshots at one position are the same state.

:raises ConfigurationError: the binary log is off, or leaves the schema out.
"""

from __future__ import annotations

from collections.abc import Sequence

from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.metadata.endpoint import Session

ROUNDS = 100
"""A snapshot takes 0.1 ms or less: two of a few in a row are at one position even while thousands of transactions a
second are committed."""


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


def begin_snapshot(session: Session) -> None:
    """Take a snapshot, in place of the one that the session had."""
    with session.cursor() as cursor:
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")


def position_of(session: Session) -> str:
    """Return the position of the session's snapshot, ``file:offset``; empty when the server tells none."""
    with session.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'Binlog_snapshot_%'")
        status = {str(name).lower(): str(value) for name, value in cursor.fetchall()}
    file, offset = status.get("binlog_snapshot_file"), status.get("binlog_snapshot_position")
    return f"{file}:{offset}" if file else ""


def share_snapshot(sessions: Sequence[Session]) -> tuple[str, list[Session]]:
    """Take snapshots until at least two sessions have the same; return its position and all that have it.

    :raises TransientError: no two were the same in many rounds.
    """
    for _ in range(ROUNDS):
        for session in sessions:
            begin_snapshot(session)
        found: dict[str, list[Session]] = {}
        for session in sessions:
            found.setdefault(position_of(session), []).append(session)
        position, same = max(found.items(), key=lambda item: len(item[1]))
        if len(same) > 1:
            return position, same
    raise TransientError(
        f"no two snapshots were the same in {ROUNDS} rounds", where="metadata database", fix="Try at a quieter time."
    )


def _useless(what: str, fix: str) -> ConfigurationError:
    return ConfigurationError(
        f"dump and inventory cannot be shown to be one state: {what}", where="metadata database", fix=fix
    )
