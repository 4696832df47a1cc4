"""Under which account views, routines, triggers and events run, and by which one it is replaced at another site.

Accounts are written ``user@host``, as ``SHOW GRANTS`` without its quotes; a role is written by its name. A rule is an
account, or ``invoker``: then views and routines run with the rights of who uses them, and their definer need not exist.
``user@host, invoker`` is both. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from incorta_provider.dr.sql_names import quote
from incorta_provider.dr.sql_security import as_invoker

Account = tuple[str, str]
"""User and host; a role has an empty host."""

ANY = "*"
"""Stands for every account that no rule names."""

INVOKER = "invoker"

_NAME = r"`(?:[^`]|``)*`|\"(?:[^\"]|\"\")*\""
ACCOUNT = rf"({_NAME})(?:@({_NAME}))?"
"""An account after ``DEFINER=``, as servers print it: of a routine made under ANSI_QUOTES in double quotes."""

_CLAUSE = re.compile(rf"\bDEFINER={ACCOUNT}")


def definer_of(definition: str) -> Account | None:
    """Return the account in a definition; the first one is the object's, whatever its body says.

    >>> definer_of("CREATE DEFINER=`app`@`%` PROCEDURE `p`() SELECT 1")
    ('app', '%')
    """
    match = _CLAUSE.search(definition)
    return _account(match) if match else None


def replace_definer(definition: str, rules: Mapping[str, str]) -> str:
    """Return a definition with the account that the rules put in place of its own.

    :param rules: the new account by the old one, or by :data:`ANY`.
    """
    account = definer_of(definition)
    text = with_account(definition, rules)
    return as_invoker(text) if account and is_invoker(account, rules) else text


def with_account(definition: str, rules: Mapping[str, str]) -> str:
    """Return a definition with another account, and nothing else changed."""
    return _CLAUSE.sub(lambda match: f"DEFINER={_printed_alike(match, rules)}", definition, count=1)


def replace_account(text: str, rules: Mapping[str, str]) -> str:
    """Return an account as servers print it, or the one that takes its place.

    >>> replace_account("`app`@`%`", {"app@%": "incorta@10.%"})
    '`incorta`@`10.%`'
    """
    match = re.fullmatch(ACCOUNT, text)
    return _printed_alike(match, rules) if match else text


def ruled(account: Account, rules: Mapping[str, str]) -> Account:
    """Return the account that takes the place of another one; itself when no rule fits."""
    other, _ = parse_rule(_rule(account, rules))
    return other or account


def is_invoker(account: Account, rules: Mapping[str, str]) -> bool:
    """Return whether the rules let views and routines of an account run with the rights of who uses them.

    >>> is_invoker(("app", "%"), {"*": "invoker"}), is_invoker(("app", "%"), {"*": "invoker", "app@%": "incorta@%"})
    (True, False)
    """
    _, invoker = parse_rule(_rule(account, rules))
    return invoker


def parse_rule(text: str) -> tuple[Account | None, bool]:
    """Return the account of a rule, None when it keeps the one that is there, and whether it says ``invoker``.

    :raises ValueError: it is neither.

    >>> parse_rule("incorta@%, invoker"), parse_rule("invoker"), parse_rule("incorta@%")
    ((('incorta', '%'), True), (None, True), (('incorta', '%'), False))
    """
    rest, _, last = text.rpartition(",")
    invoker = last.strip() == INVOKER
    account = rest.strip() if invoker else text
    return parse_account(account) if account else None, invoker


def _rule(account: Account, rules: Mapping[str, str]) -> str:
    user, host = account
    return rules.get(f"{user}@{host}" if host else user) or rules.get(ANY, "")


def parse_account(text: str) -> Account:
    """Return user and host.

    :raises ValueError: there is no user.

    >>> parse_account("odd@name@localhost")
    ('odd@name', 'localhost')
    """
    user, at, host = text.rpartition("@")
    account = (user, host) if at else (text, "")
    if not account[0]:
        raise ValueError(f"{text!r} is not an account: write user@host")
    return account


def printed(account: Account) -> str:
    """Return an account as servers print it after ``DEFINER=``."""
    user, host = account
    return f"{quote(user)}@{quote(host)}" if host else quote(user)


def _printed_alike(match: re.Match[str], rules: Mapping[str, str]) -> str:
    """Return the account of the rules, in the quotes of the one that it takes the place of."""
    account = ruled(_account(match), rules)
    if match[1][0] == "`":
        return printed(account)
    return "@".join('"' + part.replace('"', '""') + '"' for part in account if part)


def _account(match: re.Match[str]) -> Account:
    user, host = (part[1:-1].replace(part[:1] * 2, part[:1]) if part else "" for part in match.groups(default=""))
    return user, host
