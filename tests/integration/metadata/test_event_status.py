"""Events that are switched off stay off, whatever the server's scheduler has in its hands at that moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from incorta_provider.dr.inventory import DISABLED, ENABLED, Event
from incorta_provider.exceptions import ConfigurationError, TransientError
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
            return EventRuns([], [], beginning=True)
        if not written:
            written.append(ticking.run("ALTER EVENT ticking ENABLE"))
        return EventRuns([], [], beginning=False)

    monkeypatch.setattr(event_status, "_runs", seen)
    switch_events(ticking.endpoint, ["ticking"], DISABLED)
    assert (len(written), events_on(ticking.endpoint)) == (1, [])


def runs(place: Any) -> EventRuns:
    with place.endpoint.connect() as session:
        return event_runs(session, place.endpoint.schema)


def executions(place: Any) -> list[int]:
    return runs(place).executions


def wait_until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


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
        wait_until(lambda: executions(primary))
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


def test_an_execution_that_was_killed_still_runs_until_it_has_undone_its_statement(primary: Any) -> None:
    primary.run(
        "CREATE TABLE written (a INT PRIMARY KEY, b CHAR(200)) ENGINE = InnoDB",
        "INSERT INTO written SELECT seq, REPEAT('x', 200) FROM seq_1_to_200000",
        "CREATE EVENT slow ON SCHEDULE EVERY 1 HOUR ON COMPLETION PRESERVE "
        "DO UPDATE written SET b = IF(a < 200000, REPEAT('y', 200), SLEEP(200)) ORDER BY a",
    )
    wait_until(lambda: any((row[3], row[6]) == (primary.endpoint.schema, "User sleep") for row in processes(primary)))
    (number,) = executions(primary)
    primary.run(f"KILL {number}")
    assert (number, "Killed") in {(row[0], row[4]) for row in processes(primary)}
    assert executions(primary) == [number]
    switch_events(primary.endpoint, ["slow"], DISABLED)
    assert number not in {row[0] for row in processes(primary)}


def processes(place: Any) -> tuple[Any, ...]:
    return tuple(place.run("SHOW PROCESSLIST"))


@pytest.fixture
def other(primary: Any) -> Iterator[str]:
    """Another schema, with a routine that writes to ours after a while."""
    name = f"{primary.endpoint.schema}_other"
    primary.run(
        "CREATE TABLE written (a INT) ENGINE = InnoDB",
        f"CREATE DATABASE {name}",
        f"CREATE PROCEDURE {name}.slow() "
        f"BEGIN DO SLEEP(3); INSERT INTO {primary.endpoint.schema}.written VALUES (1); END",
    )
    yield name
    primary.run(f"DROP DATABASE {name}")


def test_an_event_in_a_routine_of_another_schema_is_waited_for_and_never_killed(primary: Any, other: str) -> None:
    """It may as well be an event of that schema."""
    killed: list[int] = []
    primary.run(f"CREATE EVENT slow ON SCHEDULE EVERY 1 HOUR ON COMPLETION PRESERVE DO CALL {other}.slow()")
    wait_until(lambda: runs(primary).elsewhere)
    switch_events(primary.endpoint, ["slow"], DISABLED, end=killed.extend)
    assert primary.run("SELECT a FROM written") == ((1,),)
    assert killed == []


def test_a_long_event_of_another_schema_is_nothing_to_us(ticking: Any, other: str) -> None:
    ticking.run(f"CREATE EVENT {other}.long_one ON SCHEDULE EVERY 1 HOUR DO DO SLEEP(200)")
    wait_until(lambda: any(row[3] == other for row in processes(ticking)))
    switch_events(ticking.endpoint, ["ticking"], DISABLED)
    (number,) = [row[0] for row in processes(ticking) if row[3] == other]
    ticking.run(f"KILL {number}")


def test_who_cannot_see_what_runs_is_told_so(ticking: Any) -> None:
    """The list of an account without PROCESS has its own sessions only: nothing would ever seem to run."""
    ticking.run(f"REVOKE PROCESS ON *.* FROM '{ticking.endpoint.user}'@'127.0.0.1'")
    with pytest.raises(ConfigurationError) as caught:
        switch_events(ticking.endpoint, ["ticking"], DISABLED)
    assert caught.value.fix == f"Run: GRANT PROCESS ON *.* TO '{ticking.endpoint.user}'@'127.0.0.1'"
    switch_events(ticking.endpoint, ["ticking"], ENABLED)
