"""A member of the database cluster that takes no writes: dumps are made there, to spare the primary.

A dump must not be older than the files that were copied before it, so the member first has to get as far as the
primary. From then on it is read like any other server; its own binary log tells its states apart.

:raises ConfigurationError: the member takes writes, or its log does not hold what it replicates.
:raises TransientError: it does not get there in time.
"""

from __future__ import annotations

import logging
import time

from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.metadata.endpoint import Endpoint, Session
from incorta_provider.metadata.engines.detection import engine_of
from incorta_provider.metadata.errors import translated
from incorta_provider.metadata.snapshot import position_now

log = logging.getLogger(__name__)

WAIT_SECONDS = 300

_SETTINGS = (
    ("read_only", "it takes writes", "Set read_only at the member, or name one that does."),
    ("log_slave_updates", "its binary log leaves out what it replicates", "Set log_slave_updates and restart it."),
)


def catch_up(primary: Endpoint, member: Endpoint, seconds: float = WAIT_SECONDS) -> None:
    """Wait until the member has what the primary has now."""
    position, started = position_now(primary), time.monotonic()
    with member.connect_to(None) as session, translated(member.label), session.cursor() as cursor:
        _ensure_fit(session, member)
        cursor.execute(engine_of(session).gtid_wait, (position, seconds))
        if cursor.fetchone() != (0,):
            raise TransientError(
                f"the member did not get to {position} within {seconds:g} s",
                where=member.label,
                fix="Check its replication, or remove dump_conn_id: then the primary itself is dumped.",
            )
    log.info("%s is at %s after %.2f s", member.label, position, time.monotonic() - started)


def _ensure_fit(session: Session, member: Endpoint) -> None:
    with session.cursor() as cursor:
        for name, what, fix in _SETTINGS:
            cursor.execute(f"SELECT @@GLOBAL.{name}")
            if cursor.fetchone() not in ((1,), ("ON",)):
                raise ConfigurationError(f"no dump is made at this member: {what}", where=member.label, fix=fix)
