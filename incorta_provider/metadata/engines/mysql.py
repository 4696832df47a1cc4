"""MySQL, from 8.0 on.

MySQL does not tell where in the binary log a snapshot lies, so that is shown in another way. With GTIDs, a transaction
is in ``gtid_owned`` from before it is written to the binary log until the engine has committed it, and in
``gtid_executed`` from then on (MySQL manual, *GTID Life Cycle*). If nothing is owned before the snapshots and after
them, and the same is executed, then nothing was committed in between: all are the same state, no lock was taken. A
server that never has such a moment, or has no GTIDs, is held still as its own dump client does it: ``FLUSH TABLES WITH
READ LOCK`` for as long as the snapshots take, a millisecond, and given up when it does not come at once.

A dump client that ended our transaction is found by a savepoint, which would be gone (MySQL manual, *SAVEPOINT*).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pymysql

from incorta_provider.metadata.engines.engine import (
    ROUNDS,
    Engine,
    Programs,
    Session,
    Shared,
    begin_snapshot,
    never_the_same,
)
from incorta_provider.metadata.errors import number_of

_TEXT = r"'(?:[^'\\]|\\.|'')*'"
_CHARACTER_SET = re.compile(
    rf"^(`(?:[^`]|``)*` \w+(?:\((?:\d+|{_TEXT}(?:,{_TEXT})*)\))?) CHARACTER SET \w+(?= COLLATE )"
)
_SAVEPOINT = "incorta_dr_snapshot"
_NO_SAVEPOINT = 1305
_LOCK_TIMEOUT = 1205


def _files_of(schema: str, any_text: str = "%") -> str:
    """Return the pattern that fits the names of a schema's tables in InnoDB's own lists.

    They stand there as file names, in which ``@`` and a code take the place of each odd character.

    :param schema: as an SQL expression.
    :param any_text: the pattern's sign; two of them in a query that takes values.
    """
    odd = f"REGEXP_REPLACE({schema}, '[^0-9A-Za-z_]', '@{any_text}')"
    return f"CONCAT(REPLACE({odd}, '_', '\\_'), '/{any_text}')"


@dataclass(frozen=True, slots=True)
class MySql(Engine):
    """A MySQL server; tested with 9.7, by the manual for 8.0 and 8.4."""

    name = "MySQL"
    programs = Programs(
        {"dump": ("mysqldump",), "sql": ("mysql",)},
        "MySQL's own client programs, of the server's release or a later one (Debian: mysql-client-core),",
        not_from="MariaDB",
    )
    dump_options = ("--set-gtid-purged=OFF", "--column-statistics=0")
    more_schema_rights = ("REFERENCES",)
    readable_tables = ("mysql.user",)
    routine_right = "SHOW_ROUTINE"
    references_from_outside = (
        "SELECT FOR_NAME FROM information_schema.INNODB_FOREIGN "  # noqa: S608 - our own words
        f"WHERE REF_NAME LIKE {_files_of('%s', '%%')} AND FOR_NAME NOT LIKE {_files_of('%s', '%%')}"
    )
    gtid_now = "SELECT @@GLOBAL.gtid_executed"
    gtid_wait = "SELECT WAIT_FOR_EXECUTED_GTID_SET(%s, %s)"
    collations = "SELECT COLLATION_NAME FROM information_schema.COLLATIONS"
    account_tables = ("mysql.user", "mysql.db", "mysql.tables_priv", "mysql.role_edges")
    accounts = (
        "SELECT User, Host, 'Y' IN (Insert_priv, Update_priv, Delete_priv, Create_priv, Drop_priv, Alter_priv), "
        "0, account_locked = 'Y' FROM mysql.user"
    )
    memberships = "SELECT TO_USER, TO_HOST, FROM_USER, FROM_HOST FROM mysql.role_edges"
    applier = "'incorta_dr_applier'@'localhost'"
    """Locked, as nobody logs in with it (MySQL manual, *Replication Privilege Checks*)."""
    applier_schema_rights = ("DELETE", "INDEX", "REFERENCES")
    replica_tables = ("performance_schema.replication_applier_status_by_worker",)
    fence_rights = ("CREATE USER", "CONNECTION_ADMIN", "SYSTEM_VARIABLES_ADMIN", "SHOW DATABASES")
    read_only = "SET PERSIST read_only = {}"
    """Kept in ``mysqld-auto.cnf`` (MySQL manual, *Persisted System Variables*)."""
    definers_must_exist = True
    """From 8.2 on, without the right ALLOW_NONEXISTENT_DEFINER (MySQL manual, same name)."""
    table_marks = (
        "SELECT 'table' AS kind, NAME AS name, CONCAT(TABLE_ID, ' ', TOTAL_ROW_VERSIONS) AS mark "  # noqa: S608 - our own words
        f"FROM information_schema.INNODB_TABLES WHERE NAME LIKE {_files_of('DATABASE()')}"
    )
    """A column that is added or dropped at once gives the table no other id, but one more version of its rows."""

    @property
    def global_rights(self) -> tuple[str, ...]:
        """Return the rights on everything.

        PROCESS: the internal ids of tables. REPLICATION CLIENT: position and GTIDs. RELOAD: a moment of stillness.
        SHOW_ROUTINE: routines that another account made. The last: restore of views and routines under their own
        definer, for which MySQL 8.2 has another name, and wants SYSTEM_USER where the definer has it.
        """
        return ("PROCESS", "REPLICATION CLIENT", "RELOAD", "SHOW_ROUTINE", "SYSTEM_USER", self._definer_right)

    @property
    def replica_rights(self) -> tuple[str, ...]:
        """Return the rights on everything.

        To be read from; to see how a replica is; to forget its source; to set it up and hold it; to name the
        transactions that its data have (``gtid_purged``).
        """
        asked = ("REPLICATION SLAVE", "REPLICATION CLIENT", "RELOAD", "REPLICATION_SLAVE_ADMIN")
        return (*asked, "SYSTEM_VARIABLES_ADMIN")

    @property
    def applier_rights(self) -> tuple[str, ...]:
        """Return the rights on everything.

        To apply; objects of other definers too, which may be system accounts; RELOAD, or a ``FLUSH`` stops the replica.
        """
        return ("RELOAD", "REPLICATION_APPLIER", "SYSTEM_USER", self._definer_right)

    @property
    def can_be_held(self) -> bool:
        """Return whether it knows ``CHANGE REPLICATION SOURCE TO`` (MySQL manual, same name)."""
        return self._since(8, 0, 23)

    @property
    def reset_history(self) -> str:
        """Return the statement by which a server forgets its binary logs and which transactions it has."""
        return "RESET BINARY LOGS AND GTIDS" if self._since(8, 2) else "RESET MASTER"

    @property
    def _definer_right(self) -> str:
        return "SET_ANY_DEFINER" if self._since(8, 2) else "SET_USER_ID"

    @property
    def log_status(self) -> str:
        """Return the statement that shows the binary log; its former name is gone since 8.4."""
        return "SHOW BINARY LOG STATUS" if self._since(8, 2) else "SHOW MASTER STATUS"

    def share_snapshot(self, sessions: Sequence[Session]) -> Shared:
        """Take snapshots that are the same in all sessions."""
        first = sessions[0]
        counts = _has_gtids(first)
        for _ in range(ROUNDS if counts else 0):
            before = _executed(first)
            if before is None:
                continue
            position = self._snapshots(sessions)
            if before == _executed(first):
                return Shared(position, before, list(sessions))
        with _still(first):
            position = self._snapshots(sessions)
            return Shared(position, gtids_executed(first) if counts else "", list(sessions))

    def position_dumped(self, session: Session, head: bytes, position: str) -> str:
        """Return the position of the snapshot, if the session still holds it; a dump of MySQL names none."""
        del head
        try:
            with session.cursor() as cursor:
                cursor.execute(f"RELEASE SAVEPOINT {_SAVEPOINT}")
        except pymysql.MySQLError as error:
            if number_of(error) == _NO_SAVEPOINT:
                return ""
            raise
        return position

    def normal_column(self, definition: str) -> str:
        """Return a column without its character set where the collation, which implies it, is shown as well.

        MySQL shows the set when the column was made with a collation of its own, which is what a dump makes of every
        column whose collation is not the first of its set.
        """
        return _CHARACTER_SET.sub(r"\1", definition)

    def _snapshots(self, sessions: Sequence[Session]) -> str:
        """Take a snapshot in each session and return the position behind the last transaction."""
        for session in sessions:
            begin_snapshot(session)
            with session.cursor() as cursor:
                cursor.execute(f"SAVEPOINT {_SAVEPOINT}")
        with sessions[-1].cursor() as cursor:
            cursor.execute(self.log_status)
            file, offset, *_ = cursor.fetchone() or ("", "")
        return f"{file}:{offset}"

    def _since(self, *release: int) -> bool:
        return tuple(int(part) for part in re.findall(r"\d+", self.version)[:3]) >= release


def _has_gtids(session: Session) -> bool:
    with session.cursor() as cursor:
        cursor.execute("SELECT @@GLOBAL.gtid_mode")
        return cursor.fetchone() == ("ON",)


def _executed(session: Session) -> str | None:
    """Return the transactions that were executed; None while one is on its way.

    What is on its way is asked first: a transaction that ends between the two is then among the executed.
    """
    with session.cursor() as cursor:
        cursor.execute("SELECT @@GLOBAL.gtid_owned")
        (owned,) = cursor.fetchone() or ("",)
    executed = gtids_executed(session)
    return None if owned else executed


def gtids_executed(session: Session) -> str:
    """Return the transactions that the server's data hold, on one line."""
    with session.cursor() as cursor:
        cursor.execute("SELECT @@GLOBAL.gtid_executed")
        (executed,) = cursor.fetchone() or ("",)
    return "".join(str(executed).split())


@contextmanager
def _still(session: Session) -> Iterator[None]:
    """Hold the server still as long as the block lasts, which must be short.

    :raises TransientError: a long statement kept it from coming to rest.
    """
    with session.cursor() as cursor:
        try:
            cursor.execute("FLUSH TABLES WITH READ LOCK")
        except pymysql.MySQLError as error:
            if number_of(error) == _LOCK_TIMEOUT:
                raise never_the_same(ROUNDS) from error
            raise
        try:
            yield
        finally:
            cursor.execute("UNLOCK TABLES")
