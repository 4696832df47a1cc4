"""MySQL as a replica by GTID (MySQL manual, *CHANGE REPLICATION SOURCE TO*, *START REPLICA*, *Replication Channels*).

No filter of MySQL's keeps everything out that is of other schemas (MySQL manual, *How Servers Evaluate Replication
Filtering Rules*): the one by table lets their routines and events through, the one by schema goes by the session's
schema and not by the one that a statement names. So both are set, and what gets past them is applied with the rights of
an account that has none on other schemas: it stops the replica and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from incorta_provider.dr.replica import ReplicaState, without, without_statement
from incorta_provider.dr.sql_names import quote
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.engines.mysql import MySql, gtids_executed
from incorta_provider.metadata.replica.channel import (
    CONNECT_RETRY_SECONDS,
    HEARTBEAT_SECONDS,
    NAME,
    Channel,
    tables_of_schema,
)
from incorta_provider.metadata.tls import Mode

RETRIES = 86_400
"""How often a replica tries to connect before it gives up until the next point: five days long. MySQL 9.7 tries ten
times by itself, a minute or so."""


@dataclass(frozen=True, slots=True)
class MySqlChannel(Channel):
    """The replication of a MySQL server; tested with 9.7."""

    engine: MySql

    status: ClassVar[str] = "SHOW REPLICA STATUS"
    name_column: ClassVar[str] = "Channel_Name"

    def state(self) -> ReplicaState | None:
        """Return what the server says; None when the replication is not set up."""
        if (row := self.replications().get(NAME)) is None:
            return None
        applied = self.applied()
        return ReplicaState(
            source=f"{row['Source_Host']}:{row['Source_Port']}",
            receiving=row["Replica_IO_Running"] == "Yes",
            applying=row["Replica_SQL_Running"] == "Yes",
            received=self._said("SELECT GTID_SUBTRACT(CONCAT(%s, ',', %s), '')", applied, row["Retrieved_Gtid_Set"]),
            applied=applied,
            tables=_taken(row),
            own=self.own(),
            receive_error=str(row["Last_IO_Error"] or ""),
            apply_error=self._apply_error(str(row["Last_SQL_Error"] or "")),
        )

    def applied(self) -> str:
        """Return the transactions that the data hold, the server's own among them."""
        return gtids_executed(self.session)

    def own(self) -> str:
        """Return under which name the server counts what is written here, by proofs for example."""
        return self._said("SELECT @@GLOBAL.server_uuid")

    def beyond(self, gtid: str) -> str:
        """Return the transactions of other servers that this one holds and a position does not.

        The source would not send them, and there is no statement to forget some of them.
        """
        return self._said("SELECT GTID_SUBTRACT(%s, %s)", without(self.applied(), self.own()), gtid)

    @property
    def way_back(self) -> str:
        """Return how a server is made to forget its transactions."""
        return (
            f"{self.engine.reset_history} at this server lets it forget all of them. That deletes its binary logs too: "
            "first see that no replica of it and no recovery to a point in time needs them."
        )

    def set_up(self, source: Endpoint, schema: str, gtid: str) -> None:
        """Point a replication that does not run to its source; the data count as what a position names."""
        if absent := self._said("SELECT GTID_SUBTRACT(%s, @@GLOBAL.gtid_executed)", gtid):
            with self.session.cursor() as cursor:
                cursor.execute("SET GLOBAL gtid_purged = %s", (f"+{absent}",))
        settings: dict[str, object] = {
            "SOURCE_HOST": source.host,
            "SOURCE_PORT": source.port,
            "SOURCE_USER": source.user,
            "SOURCE_PASSWORD": source.password,
            "SOURCE_CONNECT_RETRY": CONNECT_RETRY_SECONDS,
            "SOURCE_RETRY_COUNT": RETRIES,
            "SOURCE_HEARTBEAT_PERIOD": HEARTBEAT_SECONDS,
            "SOURCE_AUTO_POSITION": 1,
            "REQUIRE_ROW_FORMAT": 1,
            **_tls(source),
        }
        assigned = ", ".join(f"{name} = %s" for name in settings)
        with self.session.cursor() as cursor:
            cursor.execute(
                f"CHANGE REPLICATION SOURCE TO {assigned}, PRIVILEGE_CHECKS_USER = {self.engine.applier}, "
                f"REQUIRE_TABLE_PRIMARY_KEY_CHECK = OFF FOR CHANNEL '{NAME}'",
                (*settings.values(),),
            )
        self._take_schema(schema)

    def hold(self, schema: str) -> None:
        """Stop applying, go on reading, and take this schema only."""
        with self.session.cursor() as cursor:
            cursor.execute(f"STOP REPLICA SQL_THREAD FOR CHANNEL '{NAME}'")
            self._take_schema(schema)
            cursor.execute(f"START REPLICA IO_THREAD FOR CHANNEL '{NAME}'")

    def apply_until(self, position: str, gtid: str) -> None:
        """Begin to apply what a position names, and no more."""
        del position
        with self.session.cursor() as cursor:
            cursor.execute(f"START REPLICA SQL_THREAD UNTIL SQL_AFTER_GTIDS = %s FOR CHANNEL '{NAME}'", (gtid,))

    def detach(self) -> bool:
        """Stop it and forget its source; the server keeps what its data hold."""
        if NAME not in self.replications():
            return False
        with self.session.cursor() as cursor:
            cursor.execute(f"STOP REPLICA FOR CHANNEL '{NAME}'")
            cursor.execute(f"RESET REPLICA ALL FOR CHANNEL '{NAME}'")
        return True

    def _said(self, query: str, *values: object) -> str:
        """Return the one value of a query; a set of transactions on one line."""
        with self.session.cursor() as cursor:
            cursor.execute(query, values)
            (value,) = cursor.fetchone() or ("",)
        return str(value).replace("\n", "")

    def _apply_error(self, shown: str) -> str:
        """Return why something could not be applied: the status only names the worker that knows."""
        if not shown:
            return ""
        with self.session.cursor() as cursor:
            cursor.execute(
                "SELECT LAST_ERROR_MESSAGE FROM performance_schema.replication_applier_status_by_worker "
                "WHERE CHANNEL_NAME = %s AND LAST_ERROR_NUMBER <> 0 ORDER BY LAST_ERROR_TIMESTAMP LIMIT 1",
                (NAME,),
            )
            (told,) = cursor.fetchone() or ("",)
        return without_statement(str(told or shown))

    def _take_schema(self, schema: str) -> None:
        with self.session.cursor() as cursor:
            cursor.execute(
                f"CHANGE REPLICATION FILTER REPLICATE_DO_DB = ({quote(schema)}), "
                f"REPLICATE_WILD_DO_TABLE = (%s) FOR CHANNEL '{NAME}'",
                (tables_of_schema(schema),),
            )


def _taken(row: dict[str, Any]) -> str:
    """Return the pattern of the tables that it takes, with what is wrong with the other filter."""
    tables, schema = str(row["Replicate_Wild_Do_Table"] or ""), str(row["Replicate_Do_DB"] or "")
    if tables and tables_of_schema(schema) != tables:
        return f"{tables} and the statements of {schema or 'all schemas'}"
    return tables


def _tls(source: Endpoint) -> dict[str, object]:
    """Return what the replica asks of the source: the same as we do, the files where ours lie.

    With a CA the certificate is checked; that the server's name is as well has a switch of its own. Without TLS the
    replica asks for the key under which its password is sent, as the driver does.
    """
    if source.tls is None:
        return {"SOURCE_SSL": 0, "GET_SOURCE_PUBLIC_KEY": 1}
    files = {"SOURCE_SSL_CA": source.tls.ca, "SOURCE_SSL_CERT": source.tls.cert, "SOURCE_SSL_KEY": source.tls.key}
    checked = int(source.tls.mode is Mode.VERIFY_IDENTITY)
    return {"SOURCE_SSL": 1, "SOURCE_SSL_VERIFY_SERVER_CERT": checked, **{n: p for n, p in files.items() if p}}
