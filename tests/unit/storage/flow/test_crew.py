from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import Future

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
        if running:  # the thread may not have begun yet
            seen.append(running)
            go_on.set()

    with Crew[str, bool](1, tick) as crew:
        assert crew.result(crew.submit(lambda _: go_on.wait(30), "a file"))
    assert seen[0] == ["a file"]


def test_an_error_drops_what_has_not_begun_and_waits_for_what_runs() -> None:
    begun, dropped, done = threading.Event(), threading.Event(), []

    def work(item: str) -> None:
        begun.set()
        assert dropped.wait(30)
        done.append(item)

    def fail() -> None:
        with Crew[str, None](1, lambda _: dropped.set()) as crew:  # it looks around while it waits for what runs
            for item in ("first", "second", "third"):
                crew.submit(work, item)
            begun.wait(30)
            raise ValueError("of the caller")

    with pytest.raises(ValueError, match="of the caller"):
        fail()
    assert done == ["first"]


def test_what_a_thread_has_only_taken_when_an_error_ends_it_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, over, done = threading.Event(), threading.Event(), list[str]()
    cancel = Future.cancel

    class Slow(queue.SimpleQueue):  # type: ignore[type-arg]
        def get(self, *_: object) -> object:  # type: ignore[override]
            order = super().get()
            taken.set()
            assert over.wait(30)
            return order

    def goes_on_behind(future: Future[None]) -> bool:
        cancelled = cancel(future)
        over.set()
        return cancelled

    crew = Crew[str, None](1)
    crew._orders = Slow()

    def fail() -> None:
        with crew:
            crew.submit(done.append, "first")
            assert taken.wait(30)
            monkeypatch.setattr(Future, "cancel", goes_on_behind)
            raise ValueError("of the caller")

    with pytest.raises(ValueError, match="of the caller"):
        fail()
    over.set()
    crew._threads[0].join(30)
    assert done == []


def test_no_thread_outlives_it_that_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    """What its work held would stay open behind it, such as the page on which it counted."""
    set_result = Future.set_result

    def and_is_slow_to_end(future: Future[int], result: int) -> None:
        set_result(future, result)
        time.sleep(0.2)

    monkeypatch.setattr(Future, "set_result", and_is_slow_to_end)
    with Crew[str, int](2) as crew:
        assert crew.result(crew.submit(int, "7")) == 7
    assert [thread for thread in crew._threads if thread.is_alive()] == []


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
    begun, for_ever = threading.Event(), threading.Event()

    def hang(_: str) -> bool:
        begun.set()
        return for_ever.wait()

    def fail() -> None:
        with Crew[str, bool](2, stalled) as crew:
            crew.submit(hang, "a file")
            assert begun.wait(30)
            raise ValueError("the cause")

    with pytest.raises(ValueError, match="the cause"):
        fail()
    for_ever.set()
