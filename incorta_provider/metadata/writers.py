"""Which accounts may write a schema, by the server's own tables of rights.

A fence locks those that have their rights on the schema, and Incorta's own whatever its rights. An account with rights
on everything is an administrator's: it is named, not locked, or nobody could open the server again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from incorta_provider.dr.definers import Account
from incorta_provider.exceptions import PreconditionError
from incorta_provider.metadata.engines.engine import Engine, Session
from incorta_provider.metadata.rights import covers

Membership = tuple[Account, Account]
"""Who has a role, and the role."""

_PUBLIC: Account = ("PUBLIC", "")
_ON_SCHEMAS = (
    "SELECT User, Host, Db FROM mysql.db WHERE 'Y' IN (Insert_priv, Update_priv, Delete_priv, Create_priv, Drop_priv, "
    "Alter_priv, Execute_priv, Event_priv, Trigger_priv)"
)
_ON_TABLES = (
    "SELECT DISTINCT User, Host FROM mysql.tables_priv WHERE BINARY Db = BINARY %s "
    "AND CONCAT(Table_priv, ',', Column_priv) REGEXP 'Insert|Update|Delete|Create|Drop|Alter'"
)


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """One account.

    :ivar everywhere: it may write all schemas.
    """

    account: Account
    everywhere: bool
    is_role: bool
    locked: bool


@dataclass(frozen=True, slots=True)
class Writers:
    """Who may write a schema, without ourselves.

    :ivar locked: those of both that are locked.
    """

    own: tuple[Account, ...]
    administrators: tuple[Account, ...]
    locked: frozenset[Account]

    @property
    def open(self) -> list[Account]:
        """Those of the schema's own that can log in."""
        return [account for account in self.own if account not in self.locked]


def read_writers(session: Session, engine: Engine, schema: str, login: str) -> Writers:
    """Ask the server who may write a schema.

    :param login: the name of Incorta's account.
    :raises PreconditionError: everybody may.
    """
    with session.cursor() as cursor:
        cursor.execute("SELECT CURRENT_USER()")
        (me,) = cursor.fetchone() or ("",)
        cursor.execute(engine.accounts)
        accounts = [
            AccountFacts((str(user), str(host)), bool(everywhere), bool(is_role), bool(locked))
            for user, host, everywhere, is_role, locked in cursor.fetchall()
        ]
        cursor.execute(_ON_SCHEMAS)
        grants = [(str(user), str(host)) for user, host, place in cursor.fetchall() if covers(str(place), schema)]
        cursor.execute(_ON_TABLES, (schema,))
        grants += [(str(user), str(host)) for user, host in cursor.fetchall()]
        cursor.execute(engine.memberships)
        roles = [((str(a), str(b)), (str(c), str(d))) for a, b, c, d in cursor.fetchall()]
    return judge_writers(accounts, grants, roles, login=login, me=str(me).rpartition("@")[0])


def judge_writers(
    accounts: Iterable[AccountFacts],
    grants: Iterable[Account],
    roles: Iterable[Membership],
    *,
    login: str,
    me: str,
) -> Writers:
    """Return who may write, from the facts.

    :param grants: who has rights on the schema or on a table of it.
    :param me: the name of our own account, which stays open whatever host it is for.
    """
    known = list(accounts)
    on_schema = _with_members(grants, roles)
    on_all = _with_members((each.account for each in known if each.everywhere), roles)
    if _PUBLIC in on_schema | on_all:
        raise PreconditionError(
            "everybody may write the schema: PUBLIC has rights on it",
            where="metadata database",
            fix="Revoke them from PUBLIC and grant them to Incorta's account.",
        )
    people = [each for each in known if not each.is_role and each.account[0] != me]
    own = tuple(
        each.account for each in people if each.account in on_schema - on_all or (login and each.account[0] == login)
    )
    return Writers(
        own=own,
        administrators=tuple(each.account for each in people if each.account in on_all and each.account not in own),
        locked=frozenset(each.account for each in people if each.locked),
    )


def _with_members(accounts: Iterable[Account], roles: Iterable[Membership]) -> set[Account]:
    """Return accounts and roles with all that have one of them, directly or through another role."""
    found, links = set(accounts), list(roles)
    while more := {member for member, role in links if role in found} - found:
        found |= more
    return found
