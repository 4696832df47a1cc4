"""MariaDB as a replica by GTID (MariaDB manual, *Multi-Source Replication*, *START REPLICA*, *Replication Filters*).

A filter keeps the source's other schemas out, and its accounts: a lock that a fence puts on an account of the source
must not arrive here. It is a setting of the running server, so it is set again each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from incorta_provider.dr.replica import ReplicaState, without_statement
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.replica.channel import (
    CONNECT_RETRY_SECONDS,
    HEARTBEAT_SECONDS,
    NAME,
    Channel,
    tables_of_schema,
)
from incorta_provider.metadata.tls import Mode


@dataclass(frozen=True, slots=True)
class MariaDbChannel(Channel):
    """The replication of a MariaDB server; tested with 10.11."""

    status: ClassVar[str] = "SHOW ALL SLAVES STATUS"
    name_column: ClassVar[str] = "Connection_name"

    def state(self) -> ReplicaState | None:
        """Return what the server says; None when the replication is not set up."""
        if (row := self.replications().get(NAME)) is None:
            return None
        return ReplicaState(
            source=f"{row['Master_Host']}:{row['Master_Port']}",
            receiving=row["Slave_IO_Running"] == "Yes",
            applying=row["Slave_SQL_Running"] == "Yes",
            received=str(row["Gtid_IO_Pos"] or ""),
            applied=self.applied(),
            tables=str(row["Replicate_Wild_Do_Table"] or ""),
            receive_error=str(row["Last_IO_Error"] or ""),
            apply_error=without_statement(str(row["Last_SQL_Error"] or "")),
        )

    def applied(self) -> str:
        """Return the position that the data are of."""
        with self.session.cursor() as cursor:
            cursor.execute("SELECT @@GLOBAL.gtid_slave_pos")
            (position,) = cursor.fetchone() or ("",)
        return str(position)

    def set_up(self, source: Endpoint, schema: str, gtid: str) -> None:
        """Point a replication that does not run to its source."""
        settings: dict[str, object] = {
            "MASTER_HOST": source.host,
            "MASTER_PORT": source.port,
            "MASTER_USER": source.user,
            "MASTER_PASSWORD": source.password,
            "MASTER_CONNECT_RETRY": CONNECT_RETRY_SECONDS,
            "MASTER_HEARTBEAT_PERIOD": HEARTBEAT_SECONDS,
            **_tls(source),
        }
        assigned = ", ".join(f"{name} = %s" for name in settings)
        with self.session.cursor() as cursor:
            cursor.execute("SET GLOBAL gtid_slave_pos = %s", (gtid,))
            cursor.execute(f"CHANGE MASTER '{NAME}' TO {assigned}, MASTER_USE_GTID = slave_pos", (*settings.values(),))
        self._take_tables_of(schema)

    def hold(self, schema: str) -> None:
        """Stop applying, go on reading, and take the tables of this schema only."""
        with self.session.cursor() as cursor:
            cursor.execute(f"STOP SLAVE '{NAME}' SQL_THREAD")
            self._take_tables_of(schema)
            cursor.execute(f"START SLAVE '{NAME}' IO_THREAD")

    def apply_until(self, position: str, gtid: str) -> None:
        """Begin to apply up to a position of the source's binary log.

        By file and offset: up to a GTID it would have to read everything from the source once more.
        """
        del gtid
        file, _, offset = position.rpartition(":")
        with self.session.cursor() as cursor:
            cursor.execute(
                f"START SLAVE '{NAME}' SQL_THREAD UNTIL MASTER_LOG_FILE = %s, MASTER_LOG_POS = %s", (file, int(offset))
            )

    def detach(self) -> bool:
        """Stop it and forget its source; the server keeps the position of its data."""
        if NAME not in self.replications():
            return False
        with self.session.cursor() as cursor:
            cursor.execute(f"STOP SLAVE '{NAME}'")
            cursor.execute(f"RESET SLAVE '{NAME}' ALL")
        return True

    def _take_tables_of(self, schema: str) -> None:
        with self.session.cursor() as cursor:
            cursor.execute(f"SET GLOBAL {NAME}.replicate_wild_do_table = %s", (tables_of_schema(schema),))


def _tls(source: Endpoint) -> dict[str, object]:
    """Return what the replica asks of the source: the same as we do, the files where ours lie.

    It knows no check of the certificate alone, so the server's name is checked as well.
    """
    if source.tls is None:
        return {"MASTER_SSL": 0}
    files = {"MASTER_SSL_CA": source.tls.ca, "MASTER_SSL_CERT": source.tls.cert, "MASTER_SSL_KEY": source.tls.key}
    checked = int(source.tls.mode is not Mode.REQUIRED)
    return {"MASTER_SSL": 1, "MASTER_SSL_VERIFY_SERVER_CERT": checked, **{n: p for n, p in files.items() if p}}
