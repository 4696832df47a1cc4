"""Switch the events of a schema on and off, so that they stay as they were switched."""

from __future__ import annotations

import time
from collections.abc import Collection

from incorta_provider.dr.inventory import ENABLED
from incorta_provider.exceptions import TransientError
from incorta_provider.metadata.definitions import read_events
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.switch import switch_event

SETTLE_SECONDS = 1.0
"""How long events must have stayed off. When one falls due, the scheduler takes it from its queue, and writes the
status that it had there to the table afterwards: a statement in between is undone, and what had begun still writes
(MariaDB 10.11, ``Event_queue::get_top_for_execution_if_time``; MySQL has the same function)."""

_GIVE_UP_SECONDS = 30.0
_POLL_SECONDS = 0.1


def events_on(endpoint: Endpoint) -> list[str]:
    """Return the events of the schema that are switched on."""
    with endpoint.connect() as session:
        return [name for name, event in read_events(session).items() if event.status == ENABLED]


def switch_events(endpoint: Endpoint, names: Collection[str], status: str) -> None:
    """Give events a status; those that no longer exist are passed over.

    :raises TransientError: some are switched on again and again.
    """
    if status == ENABLED:
        _switch(endpoint, names, status)
        return
    begun = settled = time.monotonic()
    while names:
        looked = time.monotonic()
        changed = _switch(endpoint, names, status)
        if not changed and looked - settled >= SETTLE_SECONDS:  # time alone, without a look, proves nothing
            return
        if changed:
            settled = time.monotonic()
            if settled - begun > _GIVE_UP_SECONDS:
                raise TransientError(
                    f"events are switched on again and again: {', '.join(changed)}",
                    where=endpoint.label,
                    fix="Find out who does that (SHOW PROCESSLIST), end it, and try again.",
                )
        time.sleep(_POLL_SECONDS)


def _switch(endpoint: Endpoint, names: Collection[str], status: str) -> list[str]:
    """Give those events the status that have another one, and return their names."""
    with endpoint.connect() as session, session.cursor() as cursor:
        known = read_events(session)
        cursor.execute("SELECT @@collation_database")
        (collation,) = cursor.fetchone() or ("",)
    changed = [name for name in names if name in known and known[name].status != status]
    for name in changed:
        switch_event(endpoint, name, known[name], str(collation), status)
    return changed
