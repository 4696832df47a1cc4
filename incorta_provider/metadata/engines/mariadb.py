"""MariaDB.

``START TRANSACTION WITH CONSISTENT SNAPSHOT`` takes no lock, and ``Binlog_snapshot_file`` and ``_position`` tell where
in the binary log it lies (MariaDB manual, same name). Two snapshots at one position are the same state. The dump client
writes that position into the head of its dump.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from incorta_provider.metadata.engines.engine import (
    ROUNDS,
    Engine,
    Programs,
    Session,
    Shared,
    begin_snapshot,
    never_the_same,
)

_POSITION = re.compile(rb"^-- CHANGE MASTER TO MASTER_LOG_FILE='([^']+)', MASTER_LOG_POS=(\d+);", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class MariaDb(Engine):
    """A MariaDB server; tested with 10.11."""

    name = "MariaDB"
    programs = Programs(
        {"dump": ("mariadb-dump", "mysqldump"), "sql": ("mariadb", "mysql")},
        "the MariaDB client (Debian: mariadb-client)",
    )
    lent_dump_options = ("--skip-ssl", "--master-data=2")
    node_dump_options = ("--master-data=2",)
    readable_tables = ("mysql.proc", "mysql.user")
    routine_right = "SELECT on mysql.proc"
    references_from_outside = (
        "SELECT FOR_NAME FROM information_schema.INNODB_SYS_FOREIGN "
        "WHERE CONVERT(CAST(SUBSTRING_INDEX(REF_NAME, '/', 1) AS BINARY) USING filename) = %s "
        "AND CONVERT(CAST(SUBSTRING_INDEX(FOR_NAME, '/', 1) AS BINARY) USING filename) <> %s"
    )
    gtid_now = "SELECT @@GLOBAL.gtid_binlog_pos"
    gtid_wait = "SELECT MASTER_GTID_WAIT(%s, %s)"
    collations = "SELECT FULL_COLLATION_NAME FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY"
    account_tables = ("mysql.user", "mysql.global_priv", "mysql.db", "mysql.tables_priv", "mysql.roles_mapping")
    accounts = (
        "SELECT u.User, u.Host, 'Y' IN (u.Insert_priv, u.Update_priv, u.Delete_priv, u.Create_priv, u.Drop_priv, "
        "u.Alter_priv), u.is_role = 'Y', "
        "COALESCE(JSON_VALUE(p.Priv, '$.account_locked') IN ('1', 'true'), 0) "
        "FROM mysql.user u JOIN mysql.global_priv p ON p.User = u.User AND p.Host = u.Host"
    )
    memberships = "SELECT User, Host, Role, '' FROM mysql.roles_mapping"
    fence_rights = ("CREATE USER", "READ_ONLY ADMIN", "CONNECTION ADMIN", "BINLOG ADMIN", "SHOW DATABASES")
    read_only = "SET GLOBAL read_only = {}"
    definers_must_exist = False
    table_marks = (
        "SELECT 'table' AS kind, NAME AS name, TABLE_ID AS mark FROM information_schema.INNODB_SYS_TABLES "
        "WHERE CONVERT(CAST(SUBSTRING_INDEX(NAME, '/', 1) AS BINARY) USING filename) = DATABASE()"
    )

    @property
    def global_rights(self) -> tuple[str, ...]:
        """Return the rights on everything.

        PROCESS: the internal ids of tables, which give away a table that was made anew during a dump. BINLOG MONITOR:
        what the binary log leaves out. SET USER: restore of views and routines under their own definer.
        """
        return ("PROCESS", "BINLOG MONITOR", "SET USER")

    @property
    def replica_rights(self) -> tuple[str, ...]:
        """Return the rights to be read from, to set a replica up, hold it and see how it is, to forget its source."""
        return ("REPLICATION SLAVE", "REPLICATION SLAVE ADMIN", "SLAVE MONITOR", "RELOAD")

    @property
    def log_status(self) -> str:
        """Return the statement that shows the binary log."""
        return "SHOW MASTER STATUS"

    def share_snapshot(self, sessions: Sequence[Session]) -> Shared:
        """Take snapshots until at least two sessions have the same.

        Two of a few in a row are at one position even while thousands of transactions a second are committed.
        """
        for _ in range(ROUNDS):
            for session in sessions:
                begin_snapshot(session)
            found: dict[str, list[Session]] = {}
            for session in sessions:
                found.setdefault(position_of(session), []).append(session)
            position, same = max(found.items(), key=lambda item: len(item[1]))
            if len(same) > 1:
                return Shared(position, _gtid_at(same[0], position), same)
        raise never_the_same(ROUNDS)

    def position_dumped(self, session: Session, head: bytes, position: str) -> str:
        """Return what the dump names, unless the session has lost its snapshot since."""
        named = position_in(head)
        return named if named != position else position_of(session)


def position_of(session: Session) -> str:
    """Return the position of the session's snapshot, ``file:offset``; empty when the server tells none."""
    with session.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'Binlog_snapshot_%'")
        status = {str(name).lower(): str(value) for name, value in cursor.fetchall()}
    file, offset = status.get("binlog_snapshot_file"), status.get("binlog_snapshot_position")
    return f"{file}:{offset}" if file else ""


def _gtid_at(session: Session, position: str) -> str:
    """Return the last transaction of each domain before a position (MariaDB manual, *BINLOG_GTID_POS*)."""
    file, _, offset = position.rpartition(":")
    with session.cursor() as cursor:
        cursor.execute("SELECT BINLOG_GTID_POS(%s, %s)", (file, int(offset)))
        (gtid,) = cursor.fetchone() or (None,)
    return str(gtid or "")


def position_in(head: bytes) -> str:
    """Return the binary log position that the beginning of a dump names, ``file:offset``; empty when it names none."""
    found = _POSITION.search(head)
    return f"{found[1].decode()}:{int(found[2])}" if found else ""
