"""Turns what a database server or its driver reports into the provider's error family."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import pymysql

from incorta_provider.exceptions import ConfigurationError, DrError, PreconditionError, TransientError

TABLE_CHANGED = 1412
"""The table was redefined since the snapshot was taken."""

REDEFINED = (TABLE_CHANGED, 1205, 1684, 1054, 1146, 1347, 1305, 1360, 1539)
"""What a reader meets where someone redefines: that, a wait for a lock, a definition that is being modified, an object
or a column that was listed and is gone."""

INCOMPLETE = (1146, 1356, 1305, 1054, 1347)
"""What a view meets that is made before what it reads: no such table, invalid view, no such routine or column, or
something of another kind under that name."""

_UNKNOWN_SCHEMA = 1049
_LOGIN_REFUSED = (1045, 1698, 1251, 2059, 2061)
_ONLY_WITH_TLS = 3159
_TLS = 2026
_UNSAFE = re.compile(r"certificate|no TLS|required|verif", re.IGNORECASE)
"""What TLS errors that no repetition cures are worded with; another one is a connection that was cut."""

_NO_RIGHT = (1044, 1142, 1143, 1227, 1370, 1410, 1419)
_UNFENCE = "If a fence did this, a cutover to this site undoes it, and so does `incorta-dr unfence`."
_FORBIDDEN = (
    (
        (4151, 3118),
        "the account is locked",
        _UNFENCE,
    ),
    (
        (1290, 1836),
        "the server is read-only",
        _UNFENCE,
    ),
    (
        (3, 1021, 1026, 1114),
        "the server has no room left",
        "Make room where the server keeps its data, then try again.",
    ),
)
"""What a person has to change at the server first; 1114 is InnoDB's word for a full disk, *the table is full*."""
_PASSING = (1040, 1053, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1226, 1317, 2002, 2003, 2006, 2013, 2055, _TLS)
"""Server or connection away, too many sessions, waited too long for a lock, deadlock, query ended by someone."""


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Raise the driver's errors as the provider's.

    :param where: server and schema, for the message.
    """
    try:
        yield
    except pymysql.MySQLError as error:
        raise translate(error, where) from error


def number_of(error: pymysql.MySQLError) -> int:
    """Return the server's or client's error number; 0 when the driver gives none."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def translate(error: pymysql.MySQLError, where: str) -> DrError:
    """Return the matching error of the family.

    MariaDB manual, *Error codes*; 4151 and 3118 are the locked account of MariaDB and MySQL.
    """
    number, said = number_of(error), str(error.args[-1]) if error.args else str(error)
    if _host_unknown(error):
        return ConfigurationError(
            f"the host's name is unknown: {said}", where=where, fix="Correct the connection's host."
        )
    if reason := _tls_problem(error, number):
        fix = "Compare ssl and ssl_mode in the connection's extra field with what the server has."
        return ConfigurationError(f"there is no safe connection: {reason}", where=where, fix=fix)
    if number in _PASSING or isinstance(error, pymysql.err.InterfaceError):
        return TransientError(f"the database cannot be used now: {said}", where=where, fix="Try again.")
    return _lasting(number, said, where)


def _lasting(number: int, said: str, where: str) -> DrError:
    if number in _LOGIN_REFUSED:
        fix = "Correct login and password of the connection; an account may also ask for TLS (ssl in its extra field)."
        return ConfigurationError(f"the login was refused: {said}", where=where, fix=fix)
    if number == _UNKNOWN_SCHEMA:
        fix = "Correct the schema of the connection or the topology."
        return ConfigurationError(f"there is no such schema: {said}", where=where, fix=fix)
    if number in _NO_RIGHT:
        fix = "`incorta-dr metadata readiness` prints the GRANT statements that are missing."
        return ConfigurationError(f"the account lacks a right: {said}", where=where, fix=fix)
    for numbers, what, remedy in _FORBIDDEN:
        if number in numbers:
            return PreconditionError(f"{what}: {said}", where=where, fix=remedy)
    return ConfigurationError(
        f"the server refused a statement: {number} {said}", where=where, fix="Correct what it names."
    )


def _tls_problem(error: pymysql.MySQLError, number: int) -> str | None:
    """Return why no session came about that both ends take for safe; None when that is not what happened."""
    said = str(error.args[-1]) if error.args else ""
    if number == _ONLY_WITH_TLS or (number == _TLS and _UNSAFE.search(said)):
        return said
    cause = getattr(error, "original_exception", None) or error.__context__
    return str(cause) if isinstance(cause, ssl.SSLError) and "CERT" in str(cause.reason).upper() else None


def _host_unknown(error: pymysql.MySQLError) -> bool:
    cause = getattr(error, "original_exception", None)
    return isinstance(cause, socket.gaierror) and cause.errno in (socket.EAI_NONAME, socket.EAI_NODATA)
