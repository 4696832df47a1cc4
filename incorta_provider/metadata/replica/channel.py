"""What a server is told to do as a replica: one class an engine.

The replication has a name of its own, so that no other one of the server is touched.

:raises ConfigurationError: the server is of an engine that is not held at a position, or the account lacks a right.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from pymysql.cursors import DictCursor

from incorta_provider.dr.replica import ReplicaState
from incorta_provider.metadata.endpoint import Endpoint, Session

NAME = "incorta_dr"

CONNECT_RETRY_SECONDS = 5
HEARTBEAT_SECONDS = 5
"""How often the source says that it is there while it has nothing new; without it a cut connection goes unnoticed."""


@dataclass(frozen=True, slots=True)
class Channel(ABC):
    """The replication at one server.

    :ivar session: of an account that may replicate, at no schema.
    """

    session: Session

    status: ClassVar[str]
    """The statement that shows all replications of the server."""
    name_column: ClassVar[str]
    """Where it shows their names."""

    def replications(self) -> dict[str, dict[str, Any]]:
        """Return what the server shows of each of its replications, by name."""
        with self.session.cursor(DictCursor) as cursor:
            cursor.execute(self.status)
            return {str(row[self.name_column]): row for row in cursor.fetchall()}

    def others(self) -> list[str]:
        """Return the names of other replications of this server."""
        return [name or "(default)" for name in self.replications() if name != NAME]

    @abstractmethod
    def state(self) -> ReplicaState | None:
        """Return what the server says; None when the replication is not set up."""

    @abstractmethod
    def applied(self) -> str:
        """Return the position that the data are of, also when the replication is not set up any more."""

    def own(self) -> str:
        """Return the server whose transactions do not count in a position; empty when all do."""
        return ""

    def beyond(self, gtid: str) -> str:
        """Return the transactions that keep the server from going on at a position; empty when none do."""
        del gtid
        return ""

    @property
    def way_back(self) -> str:
        """Return what an administrator may do about these."""
        return ""

    @abstractmethod
    def set_up(self, source: Endpoint, schema: str, gtid: str) -> None:
        """Point a replication that does not run to its source, from the position on that the schema's data are of."""

    @abstractmethod
    def hold(self, schema: str) -> None:
        """Stop applying, go on reading, and take this schema only, whatever a restart made of it."""

    @abstractmethod
    def apply_until(self, position: str, gtid: str) -> None:
        """Begin to apply up to a position of the source, and not beyond.

        :param position: in the source's binary log, ``file:offset``.
        :param gtid: the same as a replica names it.
        """

    @abstractmethod
    def detach(self) -> bool:
        """Stop it and forget its source; return whether it was set up. What the data hold stays known."""


def tables_of_schema(schema: str) -> str:
    r"""Return the pattern that fits the tables of one schema.

    >>> print(tables_of_schema("my_schema"))
    my\_schema.%
    """
    return re.sub(r"([_%\\])", r"\\\1", schema) + ".%"
