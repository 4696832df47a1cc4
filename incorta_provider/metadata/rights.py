"""The rights that the provider's database account needs, at every site: the roles of the sites change.

A missing right is worse than an error: a server *hides* triggers, routines and tables from an account that may not see
them, and a dump without them would look whole. So the rights are compared before a dump or a restore.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from incorta_provider.dr.sql_names import quote
from incorta_provider.metadata.engines.engine import Engine
from incorta_provider.metadata.engines.mariadb import MariaDb

SCRATCH_PREFIX = "_dr_proof_"
"""Begins the name of every scratch schema in which a dump is proven."""

BESIDE_PREFIX = "_dr_beside_"
"""Begins the names of the schemas into which a point is restored beside the live one, and which keep the one before."""

FENCE_SCHEMA = "_dr_fence"
"""Where a server that is fenced keeps by whom, and what a fence changed there."""

SCHEMA_RIGHTS = (
    "SELECT",
    "INSERT",
    "UPDATE",
    "CREATE",
    "DROP",
    "ALTER",
    "LOCK TABLES",
    "CREATE VIEW",
    "SHOW VIEW",
    "CREATE ROUTINE",
    "ALTER ROUTINE",
    "EXECUTE",
    "TRIGGER",
    "EVENT",
)
"""On the metadata schema, on the scratch schemas and on those beside it: what a dump reads and a restore writes."""

_MARIADB = MariaDb("")

_GRANT = re.compile(r"^GRANT (?P<rights>.+?) ON (?P<database>\*|`(?:[^`]|``)*`)\.(?P<table>\*|`(?:[^`]|``)*`) TO ")


@dataclass(frozen=True, slots=True)
class Grant:
    """Rights on one place.

    :param place: as in SQL; ``_`` and ``%`` in a schema's name are wildcards there.
    """

    rights: tuple[str, ...]
    place: str

    def statement(self, account: str) -> str:
        """Return the statement that an administrator runs.

        :param account: as in SQL, for example ``'incorta'@'%'``.
        """
        return f"GRANT {', '.join(self.rights)} ON {self.place} TO {account}"


ALL_SESSIONS = Grant(("PROCESS",), "*.*")
"""One of those of :func:`needed`: to see every session, without which nobody seems to write."""


def needed(schema: str, engine: Engine = _MARIADB) -> list[Grant]:
    """Return the rights that the account of this schema's site needs."""
    whole = (*SCHEMA_RIGHTS, *engine.more_schema_rights)
    return [
        Grant(engine.global_rights, "*.*"),
        Grant(whole, f"{quote(_pattern(schema))}.*"),
        Grant(whole, f"{quote(_pattern(SCRATCH_PREFIX) + '%')}.*"),
        Grant(whole, f"{quote(_pattern(BESIDE_PREFIX) + '%')}.*"),
        *_readable(engine.readable_tables),
    ]


def statements(account: str, schema: str, engine: Engine = _MARIADB) -> list[str]:
    """Return the GRANT statements for one account."""
    return [grant.statement(account) for grant in needed(schema, engine)]


def fence_grants(engine: Engine = _MARIADB) -> list[Grant]:
    """Return the rights that the account of a fence needs beside those of :func:`needed`."""
    return [
        Grant(engine.fence_rights, "*.*"),
        Grant(("SELECT", "INSERT", "DELETE", "CREATE", "DROP"), f"{quote(_pattern(FENCE_SCHEMA))}.*"),
        *_readable(engine.account_tables),
    ]


def replica_grants(engine: Engine = _MARIADB) -> list[Grant]:
    """Return the rights that the account needs which replicates, at every site: the roles of the sites change."""
    return [Grant(engine.replica_rights, "*.*"), *_readable(engine.replica_tables)]


def applier_grants(schema: str, engine: Engine) -> list[Grant]:
    """Return the rights that the account needs with whose rights a replica applies; none where there is no such one."""
    if not engine.applier:
        return []
    whole = (*SCHEMA_RIGHTS, *engine.applier_schema_rights)
    return [Grant(engine.applier_rights, "*.*"), Grant(whole, f"{quote(_pattern(schema))}.*")]


def exceeding(shown: Iterable[str], grants: Iterable[Grant]) -> list[str]:
    """Return what an account has beside some grants: more rights on everything, other places, roles, passing rights on.

    :param shown: what ``SHOW GRANTS`` says of the account.
    :param grants: on everything, these rights only; on other places, any.
    :returns: as ``SHOW GRANTS`` words it, without the account.
    """
    wanted = {grant.place: frozenset(grant.rights) for grant in grants}
    return [line.removeprefix("GRANT ").split(" TO ")[0] for line in shown if not _within(line, wanted)]


def _within(line: str, wanted: Mapping[str, frozenset[str]]) -> bool:
    if (parsed := _parse(line)) is None or line.rstrip().endswith("WITH GRANT OPTION"):
        return False
    rights, database, table = parsed
    place = f"{_quoted(database)}.{_quoted(table)}"
    return rights == {"USAGE"} or (place in wanted and (place != "*.*" or rights <= wanted[place]))


def _quoted(name: str) -> str:
    return name if name == "*" else quote(name)


def _readable(tables: Iterable[str]) -> list[Grant]:
    return [Grant(("SELECT",), ".".join(map(quote, table.split(".")))) for table in tables]


def missing(shown: Iterable[str], schema: str, engine: Engine = _MARIADB) -> list[Grant]:
    """Return what an account lacks.

    :param shown: what ``SHOW GRANTS`` says of the account, those of its roles included.
    """
    return lacking(shown, needed(schema, engine))


def lacking(shown: Iterable[str], grants: Iterable[Grant]) -> list[Grant]:
    """Return the part of some grants that an account has not.

    :param shown: as for :func:`missing`.
    """
    held = [parsed for line in shown if (parsed := _parse(line))]
    found = []
    for grant in grants:
        absent = tuple(right for right in grant.rights if not _holds(held, right, grant.place))
        if absent:
            found.append(Grant(absent, grant.place))
    return found


def _pattern(name: str) -> str:
    """Escape what is a wildcard in the schema's name of a GRANT."""
    return re.sub(r"([_%\\])", r"\\\1", name)


def _parse(line: str) -> tuple[frozenset[str], str, str] | None:
    """Return rights, schema pattern and table; column rights count as none."""
    match = _GRANT.match(line.replace("\\\\", "\\"))
    if not match or "(" in match["rights"]:
        return None
    rights = frozenset(right.strip() for right in match["rights"].split(","))
    return rights, _unquoted(match["database"]), _unquoted(match["table"])


def _holds(held: list[tuple[frozenset[str], str, str]], right: str, place: str) -> bool:
    database, table = (_unquoted(part) for part in re.findall(r"`(?:[^`]|``)*`|\*", place))
    return any(
        (right in rights or "ALL PRIVILEGES" in rights)
        and (given == "*" or (database != "*" and covers(given, database)))
        and given_table in ("*", table)
        for rights, given, given_table in held
    )


def covers(given: str, asked: str) -> bool:
    """Return whether a granted pattern covers an asked one: the asked text, without its escapes, is matched."""
    expression = "".join(_WILDCARDS.get(token, re.escape(token[-1])) for token in re.findall(r"\\.|.", given))
    return re.fullmatch(expression, re.sub(r"\\(.)", r"\1", asked), re.DOTALL) is not None


_WILDCARDS = {"%": ".*", "_": "."}


def _unquoted(name: str) -> str:
    return name[1:-1].replace("``", "`") if name.startswith("`") else name
