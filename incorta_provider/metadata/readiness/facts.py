"""The facts that readiness is judged by.

What is not known is None: a source that is gone is known by the inventory of a recovery point alone. No rule takes the
unknown for good or bad.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from incorta_provider.dr.definers import Account

Places = Mapping[str, tuple[str, ...]]
"""Where each of something is used: the objects, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """One database server.

    :ivar site: the site's name.
    :ivar version: as the server says it, for example ``10.11.19-MariaDB-log``.
    :ivar variables: the global variables by name; only a few when the server was not asked.
    :ivar collations: those that it has, by their full names; ``character_sets`` as well.
    :ivar engines: storage engines that are on.
    :ivar plugins: kind of each active plugin by its name, in lower case.
    :ivar accounts: all that exist.
    :ivar zones: of the time zones that were asked for, those that it knows.
    :ivar writes_when_read_only: whether our account may.
    :ivar free_bytes: where its data lie.
    :ivar encrypted: whether our session is.
    :ivar verified: whether our session checks who the server is.
    :ivar certificate_ends: when the server's certificate does.
    """

    site: str
    version: str
    variables: Mapping[str, str]
    collations: frozenset[str] | None = None
    character_sets: frozenset[str] | None = None
    engines: frozenset[str] | None = None
    plugins: Mapping[str, str] | None = None
    accounts: frozenset[Account] | None = None
    zones: frozenset[str] = frozenset()
    writes_when_read_only: bool = False
    free_bytes: int | None = None
    encrypted: bool = False
    verified: bool = False
    certificate_ends: datetime | None = None

    @property
    def family(self) -> str:
        """``MariaDB`` or ``MySQL``."""
        return "MariaDB" if "mariadb" in self.version.lower() else "MySQL"

    @property
    def release(self) -> tuple[int, ...]:
        """Major and minor number."""
        return release_of(self.version)

    def on(self, variable: str) -> bool:
        """Return whether a switch is on; one that the server does not have is off."""
        return self.variables.get(variable, "OFF").upper() in ("ON", "1", "YES", "STRICT")

    def number(self, variable: str) -> int | None:
        """Return a variable that is a number."""
        value = self.variables.get(variable)
        return int(value) if value is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaFacts:
    """What the source's schema needs of a server.

    :ivar collations: where each is used; ``character_sets`` as well.
    :ivar engines: tables by storage engine.
    :ivar types: columns by data type.
    :ivar parsers: tables by full-text parser.
    :ivar encrypted: tables that the server encrypts.
    :ivar unsafe: tables that no snapshot covers, with the reason.
    :ivar without_key: tables without a primary key.
    :ivar folded: names of tables and views that a server which folds names would change.
    :ivar definers: under whom each object runs.
    :ivar invokers: objects that run with the rights of who uses them, so that a MariaDB needs no definer of theirs.
    :ivar creations: functions and triggers, which a server with a binary log takes only from trusted accounts.
    :ivar events: those that are on.
    :ivar zones: named time zones that events were made in.
    :ivar largest_row: bytes of SQL text of the largest row at most, and its table; None when nobody looked.
    :ivar bytes: of data and indexes.
    """

    name: str
    collations: Places
    character_sets: Places
    engines: Places
    types: Places = field(default_factory=dict)
    parsers: Places = field(default_factory=dict)
    encrypted: tuple[str, ...] = ()
    unsafe: Places = field(default_factory=dict)
    without_key: tuple[str, ...] = ()
    folded: tuple[str, ...] = ()
    definers: Mapping[str, Account] = field(default_factory=dict)
    invokers: frozenset[str] = frozenset()
    creations: int = 0
    events: tuple[str, ...] = ()
    zones: frozenset[str] = frozenset()
    largest_row: tuple[int, str] | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class ToolFacts:
    """One client program of this worker.

    :ivar version: as it says it; empty when it is not installed.
    :ivar package: what to install when it is not.
    """

    names: str
    version: str
    package: str

    @property
    def family(self) -> str:
        """``MariaDB`` or ``MySQL``."""
        return "MariaDB" if "mariadb" in self.version.lower() else "MySQL"


def release_of(version: str) -> tuple[int, ...]:
    """Return major and minor number of a version.

    >>> release_of("10.11.19-MariaDB-log")
    (10, 11)
    """
    return tuple(int(part) for part in version.split("-", maxsplit=1)[0].split(".")[:2])
