"""Under which account views, routines, triggers and events run, and by which one it is replaced at another site.

Accounts are written ``user@host``, as ``SHOW GRANTS`` without its quotes; a role is written by its name. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from incorta_provider.dr.sql_names import quote

Account = tuple[str, str]
"""User and host; a role has an empty host."""

ANY = "*"
"""Stands for every account that no rule names."""

ACCOUNT = r"`((?:[^`]|``)*)`(?:@`((?:[^`]|``)*)`)?"
"""An account behind ``DEFINER=``, as servers print it."""

_CLAUSE = re.compile(rf"\bDEFINER={ACCOUNT}")


def definer_of(definition: str) -> Account | None:
    """Return the account in a definition; the first one is the object's, whatever its body says.

    >>> definer_of("CREATE DEFINER=`app`@`%` PROCEDURE `p`() SELECT 1")
    ('app', '%')
    """
    match = _CLAUSE.search(definition)
    return _account(match) if match else None


def replace_definer(definition: str, rules: Mapping[str, str]) -> str:
    """Return a definition with the account that the rules put in the place of its own.

    :param rules: the new account by the old one, or by :data:`ANY`.
    """
    return _CLAUSE.sub(lambda match: f"DEFINER={printed(ruled(_account(match), rules))}", definition, count=1)


def replace_account(text: str, rules: Mapping[str, str]) -> str:
    """Return an account as servers print it, or the one that takes its place.

    >>> replace_account("`app`@`%`", {"app@%": "incorta@10.%"})
    '`incorta`@`10.%`'
    """
    match = re.fullmatch(ACCOUNT, text)
    return printed(ruled(_account(match), rules)) if match else text


def ruled(account: Account, rules: Mapping[str, str]) -> Account:
    """Return the account that takes the place of another one; itself when no rule fits."""
    user, host = account
    rule = rules.get(f"{user}@{host}" if host else user) or rules.get(ANY)
    return parse_account(rule) if rule else account


def parse_account(text: str) -> Account:
    """Return user and host.

    :raises ValueError: there is no user.

    >>> parse_account("odd@name@localhost")
    ('odd@name', 'localhost')
    """
    user, at, host = text.rpartition("@")
    account = (user, host) if at else (text, "")
    if not account[0]:
        raise ValueError(f"{text!r} is no account: write user@host")
    return account


def printed(account: Account) -> str:
    """Return an account as servers print it behind ``DEFINER=``."""
    user, host = account
    return f"{quote(user)}@{quote(host)}" if host else quote(user)


def _account(match: re.Match[str]) -> Account:
    user, host = (part.replace("``", "`") for part in match.groups(default=""))
    return user, host
