"""Events that are switched off stay off, whatever the server's scheduler has in its hands at that moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from incorta_provider.dr.inventory import DISABLED, ENABLED, Event
from incorta_provider.exceptions import TransientError
from incorta_provider.metadata import event_status
from incorta_provider.metadata.event_runs import EventRuns, event_runs
from incorta_provider.metadata.event_status import events_on, switch_events
from tests.integration.metadata.behind import written_behind

pytestmark = pytest.mark.lab


@pytest.fixture
def ticking(primary: Any) -> Any:
    primary.run("CREATE EVENT ticking ON SCHEDULE EVERY 1 HOUR ON COMPLETION PRESERVE DO DO 1")
    return primary


@pytest.mark.parametrize("until_the_next_look", [0.1, 1.2 * event_status.SETTLE_SECONDS])
def test_what_the_scheduler_writes_behind_us_is_undone(
    ticking: Any, monkeypatch: pytest.MonkeyPatch, until_the_next_look: float
) -> None:
    """An execution that had begun writes the status that it found; a session of its own does that here.

    A worker that stood still meanwhile has not seen that they stayed off.
    """
    behind = written_behind(monkeypatch, ticking)
    monkeypatch.setattr(event_status, "_POLL_SECONDS", until_the_next_look)
    switch_events(ticking.endpoint, ["ticking", "gone"], DISABLED)
    assert behind == [["ticking"]]
    assert events_on(ticking.endpoint) == []


def test_an_execution_that_is_held_up_does_not_switch_its_event_on_again(
    primary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scheduler waits for the table of events behind our statement, and writes behind it."""
    primary.run("CREATE EVENT ticking ON SCHEDULE EVERY 1 SECOND ON COMPLETION PRESERVE DO DO 1")
    switch = event_status.switch_event

    def held_up(*arguments: Any) -> None:
        with primary.server.connect() as session, session.cursor() as cursor:
            cursor.execute("LOCK TABLES mysql.event WRITE")
            ours = threading.Thread(target=switch, args=arguments)
            ours.start()
            ours.join(1.2)
        ours.join()

    monkeypatch.setattr(event_status, "switch_event", held_up)
    switch_events(primary.endpoint, ["ticking"], DISABLED)
    assert events_on(primary.endpoint) == []


def test_who_switches_them_on_all_the_time_is_told(ticking: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def undone(endpoint: Any, name: str, event: Event, collation: str, status: str) -> None:
        assert (name, event.status, status) == ("ticking", ENABLED, DISABLED)

    monkeypatch.setattr(event_status, "switch_event", undone)
    monkeypatch.setattr(event_status, "_GIVE_UP_SECONDS", 0.2)
    with pytest.raises(TransientError, match="switched on again and again: ticking"):
        switch_events(ticking.endpoint, ["ticking"], DISABLED)
    assert events_on(ticking.endpoint) == ["ticking"]


def test_a_scheduler_that_takes_longer_than_any_settling_time_is_waited_for(
    ticking: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has in its hands shows in the process list, and is written in the end."""
    stalled_until = time.monotonic() + 2 * event_status.SETTLE_SECONDS
    written = []

    def seen(endpoint: Any) -> EventRuns:
        if time.monotonic() < stalled_until:
            return EventRuns([], beginning=True)
        if not written:
            written.append(ticking.run("ALTER EVENT ticking ENABLE"))
        return EventRuns([], beginning=False)

    monkeypatch.setattr(event_status, "_runs", seen)
    switch_events(ticking.endpoint, ["ticking"], DISABLED)
    assert (len(written), events_on(ticking.endpoint)) == (1, [])


def executions(place: Any) -> list[int]:
    with place.endpoint.connect() as session:
        return event_runs(session, place.endpoint.schema).executions


@pytest.fixture
def running(primary: Any) -> Iterator[Callable[[], None]]:
    """Let an event run that writes as soon as what is returned is called."""
    name = f"of_{primary.endpoint.schema}"
    with primary.server.connect() as holder, holder.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", (name,))
        primary.run(
            "CREATE TABLE written (a INT) ENGINE = InnoDB",
            "CREATE EVENT slow ON SCHEDULE EVERY 1 HOUR ON COMPLETION PRESERVE "
            f"DO BEGIN DO GET_LOCK('{name}', 300); INSERT INTO written VALUES (1); END",
        )
        deadline = time.monotonic() + 60
        while not executions(primary):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield lambda: cursor.execute("DO RELEASE_LOCK(%s)", (name,))


@pytest.mark.parametrize("names", [["slow"], []])
def test_an_execution_that_had_begun_is_waited_for(
    names: list[str], primary: Any, running: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes however long ago its event was switched off: here behind the settling time."""
    look = event_status._runs
    until = time.monotonic() + 2 * event_status.SETTLE_SECONDS

    def looked_at(endpoint: Any) -> EventRuns:
        if time.monotonic() > until:
            running()
        return look(endpoint)

    monkeypatch.setattr(event_status, "_runs", looked_at)
    switch_events(primary.endpoint, names, DISABLED)
    assert primary.run("SELECT a FROM written") == ((1,),)
    assert executions(primary) == []


def test_an_execution_that_does_not_end_is_told_or_ended(
    primary: Any, running: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_status, "_GIVE_UP_SECONDS", 0.2)
    (number,) = executions(primary)
    with pytest.raises(TransientError, match=rf"events are off, and still run in session\(s\) {number} "):
        switch_events(primary.endpoint, ["slow"], DISABLED)
    monkeypatch.undo()

    def end(numbers: list[int]) -> None:
        for each in numbers:
            primary.run(f"KILL {each}")

    switch_events(primary.endpoint, ["slow"], DISABLED, end=end)
    assert executions(primary) == []
    assert primary.run("SELECT a FROM written") == ()
