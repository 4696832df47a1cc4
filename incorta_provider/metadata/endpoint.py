"""One metadata database: where it is, who logs in, and sessions that mean the same at every site.

Every session is pinned to UTC, to utf8mb4 and to an empty sql_mode, so that a value has one text form whatever the
server's own settings are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from pymysql.connections import Connection

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.metadata.engines import engine
from incorta_provider.metadata.engines.detection import engine_of
from incorta_provider.metadata.engines.engine import Engine
from incorta_provider.metadata.errors import translated
from incorta_provider.metadata.rights import Grant, lacking, needed
from incorta_provider.metadata.tls import Tls, TlsConnection, tls_of

Session: TypeAlias = engine.Session

DEFAULT_PORT = 3306
CONNECT_SECONDS = 10
STATEMENT_SECONDS = 3600
"""How long one statement may take before the server counts as hung: a checksum reads a whole table."""

_PINNED = (
    "SET SESSION time_zone = '+00:00', sql_mode = '', lock_wait_timeout = 60, innodb_lock_wait_timeout = 60, "
    "net_read_timeout = 600, net_write_timeout = 600, wait_timeout = 28800"
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The metadata schema of one site. The password stays out of ``repr``.

    :ivar tls: what sessions ask for; None for plain text.
    :ivar logged: whether what sessions change goes to the binary log.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    schema: str
    site: str = ""
    tls: Tls | None = None
    logged: bool = True

    @classmethod
    def from_connection(cls, info: ConnectionInfo, *, schema: str = "", site: str = "") -> Endpoint:
        """Make an endpoint from a connection.

        :param schema: overrides the connection's own.
        :raises ConfigurationError: a field is missing, or the extra asks for a TLS that is not known here.
        """
        info.require("host", "login")
        name = schema or info.schema
        if not name:
            raise ConfigurationError(
                "no schema is given", where=f"connection {info.conn_id}", fix="Name it in the topology."
            )
        return cls(info.host, info.port or DEFAULT_PORT, info.login, info.password, name, site, tls_of(info))

    @property
    def label(self) -> str:
        """What messages call this place."""
        return f"schema {self.schema} at {self.host}:{self.port}{f' ({self.site})' if self.site else ''}"

    def unlogged(self) -> Endpoint:
        """Return the same place for changes that concern this one server: no replica of it takes part in them."""
        return replace(self, logged=False)

    def connect(self) -> Session:
        """Log in to the schema, with autocommit.

        :raises ConfigurationError: unknown host, wrong login, no such schema.
        :raises TransientError: the server cannot be reached.
        :raises PreconditionError: the account is locked.
        """
        return self.connect_to(self.schema)

    def connect_to(self, schema: str | None, *, seconds: int = STATEMENT_SECONDS) -> Session:
        """Log in to another schema of the server, or to none.

        :param seconds: how long one statement may take.

        The password is handed over as bytes: the driver would encode text as Latin-1, the client programs use UTF-8.
        """
        connection = TlsConnection if self.tls else Connection
        with translated(self.label):
            return connection(
                host=self.host,
                port=self.port,
                user=self.user,
                password=self.password.encode(),
                database=schema,
                charset="utf8mb4",
                autocommit=True,
                init_command=_PINNED if self.logged else f"{_PINNED}, sql_log_bin = 0",
                connect_timeout=CONNECT_SECONDS,
                read_timeout=seconds,
                write_timeout=seconds,
                ssl=self.tls.context() if self.tls else None,
            )

    def engine(self) -> engine.Engine:
        """Ask the server which engine it is.

        :raises ConfigurationError: one that is not supported.
        """
        with self.connect_to(None) as session, translated(self.label):
            return engine_of(session)

    def ensure_rights(self) -> None:
        """Refuse an account that lacks a right; the server would hide objects from it instead of saying so.

        :raises ConfigurationError: lists the GRANT statements that are missing, or the server is of no known engine.
        """
        self.ensure_granted(lambda found: needed(self.schema, found))

    def ensure_granted(self, wanted: Callable[[Engine], list[Grant]], purpose: str = "") -> None:
        """Refuse an account that lacks one of some rights.

        :param purpose: what they are for, as the message says it.
        :raises ConfigurationError: as :meth:`ensure_rights`.
        """
        with self.connect_to(None) as session, translated(self.label), session.cursor() as cursor:
            cursor.execute("SELECT CURRENT_USER()")
            (account,) = cursor.fetchone() or ("",)
            cursor.execute("SHOW GRANTS")
            absent = lacking([str(line) for (line,) in cursor.fetchall()], wanted(engine_of(session)))
        if absent:
            user, _, host = str(account).rpartition("@")
            statements = "; ".join(grant.statement(f"'{user}'@'{host}'") for grant in absent)
            raise ConfigurationError(f"the account lacks rights{purpose}", where=self.label, fix=f"Run: {statements}")
