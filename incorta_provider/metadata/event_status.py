"""Switch the events of a schema on and off, so that they stay as they were switched."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from incorta_provider.dr.inventory import ENABLED
from incorta_provider.exceptions import TransientError
from incorta_provider.metadata.definitions import read_events
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.errors import translated
from incorta_provider.metadata.event_runs import EventRuns, event_runs
from incorta_provider.metadata.rights import ALL_SESSIONS
from incorta_provider.metadata.switch import switch_event

SETTLE_SECONDS = 1.0
"""How long events must have stayed off. When one falls due, the scheduler takes it from its queue, and writes the
status that it had there to the table afterwards: a statement in between is undone, and what had begun still writes
(MariaDB 10.11, ``Event_queue::get_top_for_execution_if_time``; MySQL has the same function).

On a busy machine the scheduler may take longer than that, and an execution may at any time: so the server must have
been seen, too, with nothing of the kind under way."""

_GIVE_UP_SECONDS = 30.0
_POLL_SECONDS = 0.1


def events_on(endpoint: Endpoint) -> list[str]:
    """Return the events of the schema that are switched on."""
    with endpoint.connect() as session:
        return [name for name, event in read_events(session).items() if event.status == ENABLED]


def switch_events(
    endpoint: Endpoint, names: Collection[str], status: str, *, end: Callable[[list[int]], None] | None = None
) -> None:
    """Give events a status; those that no longer exist are passed over.

    Behind events that were switched off no event of the schema runs any more.

    :param end: ends the sessions of these numbers, which carry out events that are off; without it they are waited for.
    :raises TransientError: some are switched on again and again, or do not come to their end.
    :raises ConfigurationError: the account may not see what runs.
    """
    if status == ENABLED:
        _switch(endpoint, names, status)
        return
    endpoint.ensure_granted(lambda _: [ALL_SESSIONS])
    begun = settled = time.monotonic()
    none_is_left = False
    while True:
        looked = time.monotonic()
        runs = _runs(endpoint)
        none_is_left = none_is_left or runs.none_is_left
        changed = _switch(endpoint, names, status)  # behind the other look: what was under way may have undone it
        time_enough = not names or looked - settled >= SETTLE_SECONDS
        if not changed and none_is_left and time_enough:  # time alone proves nothing
            return
        if changed:
            settled, none_is_left = time.monotonic(), False
        elif end and runs.executions:
            end(runs.executions)
        if (changed or not none_is_left) and time.monotonic() - begun > _GIVE_UP_SECONDS:
            raise _given_up(changed, runs, endpoint.label)
        time.sleep(_POLL_SECONDS)


def _given_up(changed: list[str], runs: EventRuns, where: str) -> TransientError:
    if changed:
        what = f"events are switched on again and again: {', '.join(changed)}"
    elif numbers := [*runs.executions, *runs.elsewhere]:
        what = f"events are off, and still run in session(s) {', '.join(map(str, numbers))}"
    else:
        what = "events are off, and the server's scheduler may still begin one"
    return TransientError(what, where=where, fix="Find out who does that (SHOW PROCESSLIST), end it, and try again.")


def _runs(endpoint: Endpoint) -> EventRuns:
    with endpoint.connect() as session, translated(endpoint.label):
        return event_runs(session, endpoint.schema)


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
