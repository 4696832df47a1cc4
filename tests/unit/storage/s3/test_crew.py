"""Threads that share a batch: all of it is done once, and nothing is begun after a failure."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from incorta_provider.storage.s3 import crew
from incorta_provider.storage.s3.crew import THREADS, at_once, done_by_all


def test_each_item_is_done_once_and_told_in_order() -> None:
    seen: list[int] = []

    def work(item: int) -> int:
        seen.append(item)
        return item * 10

    assert done_by_all(work, range(1000)) == [item * 10 for item in range(1000)]
    assert sorted(seen) == list(range(1000))
    assert done_by_all(work, ()) == []


def test_items_are_done_at_once() -> None:
    together = threading.Barrier(THREADS, timeout=30)
    assert len(done_by_all(lambda _: together.wait(), range(THREADS))) == THREADS


@pytest.mark.parametrize(
    ("files", "size", "threads"),
    [(1000, 1000 * 16_384, 64), (10, 10 * 300_000, 55), (250, 250 * 1_000_000, 16), (3, 3 << 30, 16), (5, 0, 64)],
    ids=["small", "middle", "a megabyte", "large", "empty"],
)
def test_small_files_are_worked_on_by_more(files: int, size: int, threads: int) -> None:
    assert at_once(files, size) == threads
    together = threading.Barrier(threads, timeout=30)
    assert len(done_by_all(lambda _: together.wait(), range(threads), threads)) == threads


def test_the_first_failure_is_raised_while_others_are_at_work_and_nothing_is_begun_after_it() -> None:
    raised = threading.Event()
    begun: list[int] = []

    def work(item: int) -> None:
        begun.append(item)
        if item == THREADS - 1:
            raise ValueError(str(item))
        raised.wait(30)

    with pytest.raises(ValueError, match="15"):
        done_by_all(work, range(100))
    raised.set()
    assert done_by_all(lambda item: item, range(THREADS)) == list(range(THREADS))
    assert sorted(begun) == list(range(THREADS))


def test_nothing_is_begun_after_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task's time limit is raised in the thread that waits, wherever it is."""
    interrupted = threading.Event()
    begun: list[int] = []

    def work(item: int) -> None:
        begun.append(item)
        interrupted.wait(30)

    def interrupt(*_: object, **__: object) -> None:
        raise TimeoutError

    with monkeypatch.context() as patch:
        patch.setattr(crew, "wait", interrupt)
        with pytest.raises(TimeoutError):
            done_by_all(work, range(100))
    interrupted.set()
    assert done_by_all(lambda item: item, range(THREADS)) == list(range(THREADS))
    assert len(begun) <= THREADS


def test_nothing_is_begun_after_a_thread_could_not_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of threads is met while those before it are at work already."""
    failed = threading.Event()
    begun: list[int] = []

    class Limited(ThreadPoolExecutor):
        free = 2

        def submit(self, turn: Callable[[], None]) -> Future[None]:  # type: ignore[override]
            if not self.free:
                raise RuntimeError("can't start new thread")
            self.free -= 1
            return super().submit(turn)

    def work(item: int) -> None:
        begun.append(item)
        failed.wait(30)

    with Limited(THREADS) as pool:
        monkeypatch.setattr(crew, "_threads", lambda: pool)
        with pytest.raises(RuntimeError, match="can't start"):
            done_by_all(work, range(100))
        failed.set()
    assert len(begun) <= 2
