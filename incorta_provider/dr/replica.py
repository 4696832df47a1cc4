"""Positions of replication, and what a replica says of itself. Pure; asked by :mod:`incorta_provider.metadata.replica`.

A position is the text in which a server names the transactions behind it. MariaDB names the last one of each domain,
``0-1-57`` (MariaDB manual, *GTID*), MySQL ranges of each server, ``3E11FA47-…:1-57`` (MySQL manual, *GTID Sets*).
Both are read here as numbers by the one that counts them: MariaDB's by domain, because the numbers of a domain go up
whichever server writes there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MARIADB = re.compile(r"(\d+)-(\d+)-(\d+)")
_TAG = re.compile(r"[a-z_]\w{0,31}")
_STATEMENT = re.compile(r" on query\b| Default database: | Query: | near '")
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")

Ranges = dict[str, list[tuple[int, int]]]
"""First and last number of each range, by domain or server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaState:
    """What a replica's server says of its replication.

    :ivar source: ``host:port`` of the server that it reads from.
    :ivar receiving: whether it is connected and reads; it may be trying to.
    :ivar applying: whether it goes on changing data.
    :ivar received: position of what it has read.
    :ivar applied: position of what its data hold.
    :ivar tables: the pattern of the tables that it takes; empty for all.
    :ivar own: the server whose transactions do not count: MySQL lists those of the replica itself, where proofs write.
    :ivar receive_error: why it is not connected, in the server's words; empty when it is.
    :ivar apply_error: why it could not apply something, the last time that it tried.
    """

    source: str
    receiving: bool
    applying: bool
    received: str
    applied: str
    tables: str
    own: str = ""
    receive_error: str = ""
    apply_error: str = ""


def ranges(position: str) -> Ranges:
    """Return which transactions a position names.

    :raises ValueError: it is neither engine's.

    >>> ranges("0-1-57,3-2-4")
    {'0': [(1, 57)], '3': [(1, 4)]}
    >>> ranges("3e11fa47:1-5:9:tag:1")
    {'3e11fa47': [(1, 5), (9, 9)], '3e11fa47:tag': [(1, 1)]}
    """
    found: Ranges = {}
    for part in filter(None, (part.strip() for part in position.split(","))):
        if match := _MARIADB.fullmatch(part):
            found[match[1]] = [(1, int(match[3]))]
            continue
        found |= _mysql_ranges(part.lower())
    return found


def _mysql_ranges(part: str) -> Ranges:
    """Return the ranges of one server; since 8.3 a tag may stand before those that it counts by themselves."""
    server, *rest = part.split(":")
    found: Ranges = {}
    name = server
    for text in rest:
        if match := _RANGE.fullmatch(text):
            found.setdefault(name, []).append((int(match[1]), int(match[2] or match[1])))
        elif _TAG.fullmatch(text) and text != rest[-1]:
            name = f"{server}:{text}"
        else:
            found.clear()
            break
    if not found:
        raise ValueError(f"{part!r} is not a position of a MariaDB or MySQL server")
    return found


def same_position(one: str, other: str, *, own: str = "") -> bool:
    """Return whether two positions name the same transactions; unknown ones are never the same.

    :param own: the server whose transactions do not count.

    >>> same_position("0-1-57,3-2-4", "3-2-4,0-1-57"), same_position("", "")
    (True, False)
    >>> same_position("a:1-5,b:1-90", "b:1-7,a:1-5", own="b")
    True
    """
    first, second = (frozenset(without(text, own).split(",")) for text in (one, other))
    return first == second and "" not in first


def without(position: str, server: str) -> str:
    """Return a position but for the transactions of one server, in small letters.

    >>> without("A:1-5, B:7", "b")
    'a:1-5'
    """
    parts = (part.strip().lower() for part in position.split(","))
    return ",".join(part for part in parts if part.split(":")[0] != server.lower())


def lacking(held: str, wanted: str) -> int:
    """Return how many transactions of ``wanted`` are not in ``held``.

    :raises ValueError: one of them is not a position.

    >>> lacking("0-1-50", "0-1-57,3-2-4"), lacking("a:1-5", "a:1-9:12")
    (11, 5)
    """
    have = ranges(held)
    return sum(
        last - first + 1 - _covered((first, last), have.get(name, []))
        for name, intervals in ranges(wanted).items()
        for first, last in intervals
    )


def without_statement(told: str) -> str:
    """Return why something could not be applied without the statement: that may hold a password or its hash.

    >>> without_statement("Error 'Access denied' on query. Default database: 'x'. Query: 'ALTER USER a ...'")
    "Error 'Access denied'"
    """
    return _STATEMENT.split(told, maxsplit=1)[0]


def problems(state: ReplicaState, *, source: str, tables: str) -> list[str]:
    """Return what keeps a replica from being one that recovery points can be taken from, in words.

    :param source: ``host:port`` of the server that it should read from.
    :param tables: the pattern of the tables that it should take.
    """
    found = not_held(state, source=source, tables=tables)
    return [state.apply_error, *found] if state.apply_error else found


def not_held(state: ReplicaState, *, source: str, tables: str) -> list[str]:
    """Return the same, but for what failed when it applied last: it is about to try again."""
    found = [state.receive_error] if state.receive_error else []
    if state.source != source:
        found.append(f"it reads from {state.source}, and the active site's server is {source}")
    if not state.receiving:
        found.append("it is not connected to the source")
    if state.applying:
        found.append("it goes on applying by itself, past the recovery point: its server was restarted")
    if state.tables != tables:
        found.append(f"it takes the tables {state.tables or 'of all schemas'} instead of {tables}")
    return found


def _covered(wanted: tuple[int, int], intervals: list[tuple[int, int]]) -> int:
    first, last = wanted
    return sum(max(0, min(last, until) - max(first, since) + 1) for since, until in intervals)
