"""Splits and makes the SQL text of definitions.

The server's ``SHOW CREATE`` is complete where its information schema is not, so the definitions are taken from it and
split here. What is split is text that the server itself printed: one item a line, names in backticks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pymysql.charset

from incorta_provider.dr.inventory import Code
from incorta_provider.dr.sql_names import quote
from incorta_provider.exceptions import ConfigurationError

_NAME = r"`(?:[^`]|``)*`"
_HEAD = re.compile(rf"CREATE TABLE {_NAME} \(\n")
_ITEM = re.compile(rf"  (?:{_NAME}|'(?:[^'\\]|\\.|'')*'|[^`'\n])+\n", re.DOTALL)
_COLUMN = re.compile(rf"({_NAME}) ", re.DOTALL)
_INDEX = re.compile(rf"(?:UNIQUE |FULLTEXT |SPATIAL )?KEY ({_NAME}) |(PRIMARY KEY) ")
_CONSTRAINT = re.compile(rf"CONSTRAINT ({_NAME}) ")
_COUNTER = re.compile(r" AUTO_INCREMENT=\d+")
_DEFINER = re.compile(rf"DEFINER={_NAME}(?:@{_NAME})?")
_EVENT_STATUS = re.compile(r"(ON COMPLETION (?:NOT )?PRESERVE) (?:ENABLE|DISABLE(?: ON (?:SLAVE|REPLICA))?)")
_BLANK = r"(?:\s|/\*.*?\*/|--\s[^\n]*|\#[^\n]*)"
_TOKEN = re.compile(rf"""{_BLANK}+|(?P<quoted>{_NAME}|"(?:[^"]|"")*")|(?P<word>[\w$]+)|[.@=]""", re.DOTALL)
_TRIGGER_ORDER = re.compile(
    rf"""{_BLANK}*(?:FOLLOWS|PRECEDES)(?:{_BLANK}+|(?=[`"]))(?:{_NAME}|"(?:[^"]|"")*"|[\w$]+)(?={_BLANK})""",
    re.DOTALL | re.IGNORECASE,
)


@dataclass(slots=True)
class TableText:
    """A ``CREATE TABLE`` in its parts; each definition without the comma at its end."""

    columns: dict[str, str] = field(default_factory=dict)
    indexes: dict[str, str] = field(default_factory=dict)
    constraints: dict[str, str] = field(default_factory=dict)
    options: str = ""


def split_table(create: str) -> TableText:
    """Split what ``SHOW CREATE TABLE`` printed.

    The counter of ``AUTO_INCREMENT`` is left out: it is not part of a snapshot, and it moves while a dump runs.
    """
    parts = TableText()
    head = _HEAD.match(create)
    at = head.end() if head else 0
    while item := _ITEM.match(create, at):
        _sort_item(parts, item[0].strip().removesuffix(","))
        at = item.end()
    parts.options = _COUNTER.sub("", create[at:]).removeprefix(")").strip()
    return parts


def _sort_item(parts: TableText, item: str) -> None:
    for target, pattern in (
        (parts.columns, _COLUMN),
        (parts.indexes, _INDEX),
        (parts.constraints, _CONSTRAINT),
    ):
        if match := pattern.match(item):
            name = _unquoted(next(filter(None, match.groups())))
            target[item if name in target else name] = item
            return
    parts.constraints[item] = item


def _unquoted(name: str) -> str:
    return name[1:-1].replace("``", "`") if name.startswith("`") else name


def switched_off(create_event: str, name: str) -> str:
    """Return a ``CREATE EVENT`` that makes the event switched off, whatever it said before.

    The status stands after the schedule; the event's own name, in front of it, could look like one.
    """
    head, mark, rest = create_event.partition(f"EVENT {quote(name)} ")
    return head + mark + _EVENT_STATUS.sub(r"\1 DISABLE", rest, count=1)


def trigger_body(create: str) -> str:
    """Return the body of a trigger from what ``SHOW CREATE TRIGGER`` printed: its author's own text.

    The information schema shows the body as well, but of three-byte characters only.

    :raises ConfigurationError: the statement is not understood.
    """
    at, seen = 0, ""
    while token := _TOKEN.match(create, at):
        at = token.end()
        if token["word"] or token["quoted"]:
            seen += f" {(token['word'] or '``').upper()}"
        if seen.endswith(" FOR EACH ROW"):
            order = _TRIGGER_ORDER.match(create, at)
            return create[order.end() if order else at :].strip()
    raise ConfigurationError(
        "a trigger's definition is not understood",
        where=create[:80],
        fix="Drop it, and create it again with a plain CREATE TRIGGER statement.",
    )


def create_trigger(definer: str, name: str, table: str, when: str, body: str) -> str:
    """Return a trigger's definition without schema names.

    ``SHOW CREATE TRIGGER`` repeats what its author typed, a schema in front of the names included: restored elsewhere,
    such a statement would reach into the schema that it names.

    :param definer: as in the information schema, ``user@host``.
    :param when: for example ``BEFORE INSERT``.
    """
    return f"CREATE DEFINER={_account(definer)} TRIGGER {quote(name)} {when} ON {quote(table)} FOR EACH ROW {body}"


def _account(definer: str) -> str:
    """Return an account as an SQL name; a role has no host."""
    user, _, host = definer.partition("@") if definer.endswith("@") else definer.rpartition("@")
    return f"{quote(user)}@{quote(host)}" if user and host else quote(user or host)


def encoded(code: Code, statement: str) -> bytes:
    """Return a statement about an object in the character set that the object was written in, which is a part of it.

    :raises ConfigurationError: it has a character that this set lacks, or the set is not known here.
    """
    name = code.settings["character_set_client"]
    known = pymysql.charset.charset_by_name(name)
    try:
        return statement.encode(known.encoding if known and known.encoding else name)
    except (LookupError, UnicodeEncodeError) as error:
        raise ConfigurationError(
            f"a definition cannot be carried in its character set {name}: {error}",
            where=statement.partition("\n")[0],
            fix="Create the object again in a session that uses utf8mb4.",
        ) from None


def in_its_settings(code: Code, statement: bytes, collation: str) -> list[bytes]:
    """Return a statement among those which give a session, and for a moment the schema, the object's settings.

    :param collation: the schema's own. An object remembers the one that the schema had when it was made.
    """
    remembered = code.settings["database_collation"]
    statements = [session_settings(code).encode(), statement]
    if remembered == collation:
        return statements
    return [
        f"ALTER DATABASE COLLATE {remembered}".encode(),
        *statements,
        f"ALTER DATABASE COLLATE {collation}".encode(),
    ]


def session_settings(code: Code) -> str:
    """Return the statement that gives a session the settings under which an object was made."""
    settings = code.settings
    assignments = {
        "sql_mode": f"'{settings['sql_mode']}'",
        "character_set_client": settings["character_set_client"],
        "collation_connection": settings["collation_connection"],
    }
    if zone := settings.get("time_zone"):
        assignments["time_zone"] = f"'{zone}'"
    if created := settings.get("created"):
        assignments["timestamp"] = created
    return "SET SESSION " + ", ".join(f"{name} = {value}" for name, value in assignments.items())


def definer_clause(code: Code) -> str:
    """Return the part of a definition that names its definer.

    >>> definer_clause(Code(definition="CREATE DEFINER=`a`@`%` EVENT `e` DO BEGIN END", settings={}))
    'DEFINER=`a`@`%`'
    """
    match = _DEFINER.search(code.definition)
    return match[0] if match else ""
