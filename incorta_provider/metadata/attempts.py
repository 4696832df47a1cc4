"""Reads a schema in one state: tries until no definition changed meanwhile.

A snapshot covers rows but not definitions, so the definitions are read before and after.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import pymysql

from incorta_provider.exceptions import DrError, TransientError
from incorta_provider.metadata.definitions import Definitions, read_definitions
from incorta_provider.metadata.endpoint import Endpoint, Session
from incorta_provider.metadata.engines.engine import Engine
from incorta_provider.metadata.errors import REDEFINED, number_of

log = logging.getLogger(__name__)

Taken = TypeVar("Taken")

ATTEMPTS = 10
LOCK_SECONDS = 2
"""How long one statement may wait for a table that is being redefined. That may be waiting for another session of ours,
and everybody who wants the table waits for it."""


@dataclass(frozen=True, slots=True)
class Source:
    """What is read, and a session in which definitions are read."""

    endpoint: Endpoint
    engine: Engine
    control: Session


class StartOver(Exception):  # noqa: N818 - not an error: this attempt proves nothing, the next may
    """Why an attempt proves nothing."""


def until_proven(source: Source, take: Callable[[Definitions], Taken]) -> tuple[Taken, int]:
    """Return what was taken, and in how many attempts.

    :param take: reads by these definitions; what it took counts only when they are the same afterwards.
    :raises TransientError: definitions kept changing.
    """
    reason = ""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _attempt(source, take), attempt
        except StartOver as cause:
            reason = str(cause)
            log.info("attempt %d of %d starts over: %s", attempt, ATTEMPTS, reason)
            time.sleep(min(2.0, 0.05 * 2**attempt))
    raise TransientError(
        f"no dump could be proven in {ATTEMPTS} attempts; the last one: {reason}",
        where=source.endpoint.label,
        fix="Wait for running migrations to end, then try again.",
    )


def impatient(session: Session) -> Session:
    """Return the session with a short limit on waiting for locks."""
    with session.cursor() as cursor:
        cursor.execute("SET SESSION lock_wait_timeout = %s", (LOCK_SECONDS,))
    return session


def _attempt(source: Source, take: Callable[[Definitions], Taken]) -> Taken:
    """Read once.

    :raises StartOver: what was read is not shown to be one state.
    """
    before = _definitions(source.control)
    try:
        taken = take(before)
    except (DrError, pymysql.MySQLError) as error:
        if _means_redefined(error) or _definitions(source.control) != before:
            raise StartOver(f"a definition changed during the dump: {error}") from error
        raise
    if _definitions(source.control) != before:
        raise StartOver("a definition changed during the dump")
    return taken


def _definitions(control: Session) -> Definitions:
    try:
        return read_definitions(control)
    except pymysql.MySQLError as error:
        if number_of(error) in REDEFINED:
            raise StartOver(f"a definition changed while it was read: {error}") from error
        raise


def _means_redefined(error: Exception) -> bool:
    cause = error if isinstance(error, pymysql.MySQLError) else error.__cause__
    return isinstance(cause, pymysql.MySQLError) and number_of(cause) in REDEFINED
