"""What a database server has to tell and to do, so that dump, proof and restore need not know which one it is.

A further engine is one more class here beside: :func:`~incorta_provider.metadata.engines.detection.engine_for` tells by
the server's own version which one it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from pymysql.connections import Connection
from pymysql.cursors import Cursor

from incorta_provider.exceptions import ConfigurationError, TransientError

Session: TypeAlias = "Connection[Cursor]"

Program = Literal["dump", "sql"]

ROUNDS = 100
"""How often snapshots are taken before a server counts as too busy: a round takes a millisecond or less."""


@dataclass(frozen=True, slots=True)
class Programs:
    """The client programs of an engine.

    :ivar names: of each program, the best one first.
    :ivar package: what to install.
    :ivar not_from: what the version of a program of the same name says that is another engine's; empty when none is
        refused.
    """

    names: Mapping[Program, tuple[str, ...]]
    package: str
    not_from: str = ""


@dataclass(frozen=True, slots=True)
class Shared:
    """One snapshot that several sessions have.

    :ivar position: in the binary log, ``file:offset``.
    :ivar gtid: the same as a replica names it; empty when the server does not count its transactions.
    """

    position: str
    gtid: str
    sessions: list[Session]


@dataclass(frozen=True, slots=True)
class Engine(ABC):
    """One server's engine.

    :ivar version: as the server says it.
    """

    version: str

    name: ClassVar[str]
    programs: ClassVar[Programs]
    dump_options: ClassVar[tuple[str, ...]] = ()
    """For every run of the dump client, beside those which all have."""
    lent_dump_options: ClassVar[tuple[str, ...]] = ()
    """For a dump out of a snapshot that a session lends."""
    node_dump_options: ClassVar[tuple[str, ...]] = ()
    """For a dump out of a snapshot of the client's own, whose position it has to name; empty where it cannot."""
    more_schema_rights: ClassVar[tuple[str, ...]] = ()
    """On the metadata schema and on the scratch schemas, beside those which every engine wants."""
    readable_tables: ClassVar[tuple[str, ...]]
    """System tables that the account must be able to read."""
    routine_right: ClassVar[str]
    """What lets the account see the routines that another one made."""
    references_from_outside: ClassVar[str]
    """Query for the tables of other schemas whose foreign keys refer to tables of a schema, which is given twice."""
    gtid_now: ClassVar[str]
    """Query for how a replica names the last transaction of the server."""
    gtid_wait: ClassVar[str]
    """Query that waits until a replica has a position, so many seconds at most; it answers 0 then."""
    collations: ClassVar[str]
    """Query for the names of all collations."""
    account_tables: ClassVar[tuple[str, ...]]
    """System tables that tell who may write what, for a fence."""
    accounts: ClassVar[str]
    """Query for all accounts: user, host, whether it may write everywhere, is a role, is locked."""
    memberships: ClassVar[str]
    """Query for who has which role: user and host of either."""
    applier: ClassVar[str] = ""
    """Account with whose rights a replica applies, as in SQL; empty where it applies without looking at rights."""
    applier_schema_rights: ClassVar[tuple[str, ...]] = ()
    """Rights of the applier on the metadata schema, beside those of a restore."""
    replica_tables: ClassVar[tuple[str, ...]] = ()
    """System tables that the account must be able to read which replicates."""
    fence_rights: ClassVar[tuple[str, ...]]
    """Rights on everything that a fence needs beside :attr:`global_rights`."""
    read_only: ClassVar[str]
    """Statement that switches ``read_only``, to be completed with ON or OFF, as lasting as the server can have it."""
    definers_must_exist: ClassVar[bool]
    """Whether an object is made only where its definer exists, also one that runs with the rights of who uses it."""
    table_marks: ClassVar[str]
    """Query for the internal ids of the tables of the session's schema, as ``kind``, ``name`` and ``mark``."""

    @property
    @abstractmethod
    def global_rights(self) -> tuple[str, ...]:
        """Return the rights on everything that the account needs."""

    @property
    @abstractmethod
    def replica_rights(self) -> tuple[str, ...]:
        """Return the rights on everything that the account needs which replicates."""

    @property
    def applier_rights(self) -> tuple[str, ...]:
        """Return the rights on everything that the applier needs."""
        return ()

    @property
    def can_be_held(self) -> bool:
        """Return whether the release can be a replica that is held at a position."""
        return True

    @property
    @abstractmethod
    def log_status(self) -> str:
        """Return the statement that shows the binary log: file, position, the schemas in it, the schemas left out."""

    @abstractmethod
    def share_snapshot(self, sessions: Sequence[Session]) -> Shared:
        """Take snapshots until at least two sessions have the same; return it with all that have it.

        :raises TransientError: no two were the same in many rounds.
        """

    @abstractmethod
    def position_dumped(self, session: Session, head: bytes, position: str) -> str:
        """Return the position of what a dump client read through a session.

        :param head: the beginning of what the client wrote.
        :param position: of the snapshot that the session was lent with.
        :returns: ``position`` if the session held that snapshot until the end, else what is known, or nothing.
        """

    def normal_column(self, definition: str) -> str:
        """Return a column as ``SHOW CREATE TABLE`` shows it, without what changes by a dump and a restore."""
        return definition

    def ensure_positions(self, session: Session) -> None:
        """Refuse a server whose binary log does not tell states of the session's schema apart.

        :raises ConfigurationError: the log is off, or leaves the schema out.
        """
        with session.cursor() as cursor:
            cursor.execute("SELECT @@log_bin, DATABASE()")
            on, schema = cursor.fetchone() or (0, "")
            if not on:
                raise _useless("the binary log is off", "Set log_bin in the server's configuration and restart it.")
            cursor.execute(self.log_status)
            _, _, only, ignored, *_ = cursor.fetchone() or ("", "", "", "")
        if schema in ignored.split(",") or (only and schema not in only.split(",")):
            raise _useless("the binary log leaves this schema out", "Remove it from binlog_ignore_db and binlog_do_db.")


def begin_snapshot(session: Session) -> None:
    """Take a snapshot, in place of the one that the session had."""
    with session.cursor() as cursor:
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")


def never_the_same(rounds: int) -> TransientError:
    """Return the error of a server that is too busy."""
    return TransientError(
        f"no two snapshots were the same in {rounds} rounds", where="metadata database", fix="Try at a quieter time."
    )


def _useless(what: str, fix: str) -> ConfigurationError:
    return ConfigurationError(
        f"dump and inventory cannot be shown to be one state: {what}", where="metadata database", fix=fix
    )
