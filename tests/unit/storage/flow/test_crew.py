from __future__ import annotations

import threading
import time

import pytest

from incorta_provider.storage.flow.crew import Crew
from incorta_provider.storage.flow.watchdog import StalledError


def stalled(_: list[str]) -> None:
    raise StalledError("nothing moves")


def test_results_and_errors_go_to_who_asks() -> None:
    with Crew[str, int](2) as crew:
        good, bad = crew.submit(int, "7"), crew.submit(int, "x")
        assert crew.result(good) == 7
        with pytest.raises(ValueError, match="invalid literal"):
            crew.result(bad)


def test_while_one_waits_it_looks_around_at_what_runs() -> None:
    seen: list[list[str]] = []
    go_on = threading.Event()

    def tick(running: list[str]) -> None:
        seen.append(running)
        go_on.set()

    with Crew[str, bool](1, tick) as crew:
        assert crew.result(crew.submit(lambda _: go_on.wait(30), "a file"))
    assert seen[0] == ["a file"]


def test_an_error_drops_what_has_not_begun_and_waits_for_what_runs() -> None:
    begun, done = threading.Event(), []

    def work(item: str) -> None:
        begun.set()
        time.sleep(0.1)
        done.append(item)

    def fail() -> None:
        with Crew[str, None](1) as crew:
            for item in ("first", "second", "third"):
                crew.submit(work, item)
            begun.wait(30)
            raise ValueError("of the caller")

    with pytest.raises(ValueError, match="of the caller"):
        fail()
    assert done == ["first"]


def test_what_hangs_is_left_behind_in_threads_that_hold_no_process() -> None:
    for_ever = threading.Event()
    before = set(threading.enumerate())
    with pytest.raises(StalledError), Crew[str, bool](2, stalled) as crew:
        crew.result(crew.submit(lambda _: for_ever.wait(), "a file"))
    left = set(threading.enumerate()) - before
    assert all(thread.daemon for thread in left)
    assert len(left) >= 1
    for_ever.set()


def test_what_failed_first_is_told_even_when_the_rest_hangs() -> None:
    for_ever = threading.Event()

    def fail() -> None:
        with Crew[str, bool](2, stalled) as crew:
            crew.submit(lambda _: for_ever.wait(), "a file")
            time.sleep(0.05)
            raise ValueError("the cause")

    with pytest.raises(ValueError, match="the cause"):
        fail()
    for_ever.set()
