"""Events that are switched off stay off, whatever the server's scheduler has in its hands at that moment."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from incorta_provider.dr.inventory import DISABLED, ENABLED, Event
from incorta_provider.exceptions import TransientError
from incorta_provider.metadata import event_status
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
