"""The parts that a fence of a database consists of, each done at one server."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pymysql

from incorta_provider.dr.definers import Account, printed
from incorta_provider.exceptions import TransientError
from incorta_provider.metadata.endpoint import Session
from incorta_provider.metadata.engines.engine import Engine
from incorta_provider.metadata.errors import number_of

END_SECONDS = 20.0
"""How long ended sessions may take to roll back before the fence counts them as still there."""

_SYSTEM = ("information_schema", "performance_schema", "mysql", "sys")
_OURS = "_dr_"
_NO_SUCH_THREAD = 1094


def other_schemas(session: Session, schema: str) -> list[str]:
    """Return the schemas beside ours and the server's own, whatever they hold."""
    with session.cursor() as cursor:
        cursor.execute("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA ORDER BY SCHEMA_NAME")
        names = [str(name) for (name,) in cursor.fetchall()]
    return [name for name in names if name != schema and name not in _SYSTEM and not name.startswith(_OURS)]


def lock(session: Session, accounts: Iterable[Account], action: str) -> None:
    """``LOCK`` or ``UNLOCK`` accounts; those that no longer exist are passed over."""
    with session.cursor() as cursor:
        for account in accounts:
            cursor.execute(f"ALTER USER IF EXISTS {printed(account)} ACCOUNT {action}")


def sessions_of(session: Session, names: set[str]) -> list[int]:
    """Return the open sessions of accounts of these names."""
    with session.cursor() as cursor:
        cursor.execute("SHOW PROCESSLIST")
        return [int(row[0]) for row in cursor.fetchall() if str(row[1]) in names]


def end_sessions(session: Session, names: set[str]) -> None:
    """End the sessions of accounts, also one that was opened just before they were locked.

    :raises TransientError: some are still there after ``END_SECONDS``.
    """
    deadline = time.monotonic() + END_SECONDS
    while found := sessions_of(session, names):
        kill(session, found)
        if time.monotonic() > deadline:
            raise TransientError(
                f"{len(found)} session(s) did not end within {END_SECONDS:.0f} s; they may be rolling back"
            )
        time.sleep(0.05)


def kill(session: Session, numbers: Iterable[int]) -> None:
    """Tell the server to end sessions; those that are gone by now are passed over."""
    for number in numbers:
        try:
            with session.cursor() as cursor:
                cursor.execute(f"KILL {number:d}")
        except pymysql.MySQLError as error:
            if number_of(error) != _NO_SUCH_THREAD:
                raise


def is_read_only(session: Session) -> bool:
    """Tell whether the server takes writes from privileged accounts only."""
    with session.cursor() as cursor:
        cursor.execute("SELECT @@GLOBAL.read_only")
        (value,) = cursor.fetchone() or (0,)
    return str(value).upper() in ("1", "ON")


def set_read_only(session: Session, engine: Engine, value: str) -> None:
    """Switch ``read_only`` ``ON`` or ``OFF``, as lasting as the engine can have it."""
    with session.cursor() as cursor:
        cursor.execute(engine.read_only.format(value))
