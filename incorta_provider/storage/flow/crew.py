"""Threads that can be left behind: daemons, because a thread in a call that never returns cannot be joined.

Python's own pool joins its threads when the process ends, and so would never end while a network file system hangs.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from types import TracebackType
from typing import Generic, Self, TypeVar

from incorta_provider.storage.flow.watchdog import StalledError

T = TypeVar("T")
R = TypeVar("R")

TICK_SECONDS = 0.5
"""How often whoever waits looks around."""

Tick = Callable[[list[T]], None]
"""Is called with what is being worked on, at least each :data:`TICK_SECONDS` while something is waited for; may raise
:class:`~incorta_provider.storage.flow.watchdog.StalledError`."""


def no_tick(_: list[T]) -> None:
    """Look at nothing."""


class Crew(Generic[T, R]):
    """A number of threads, and the work that they have not done yet.

    :param tick: looks around while the crew is waited for.
    """

    def __init__(self, count: int, tick: Tick[T] = no_tick) -> None:
        self._tick = tick
        self._orders: queue.SimpleQueue[tuple[Future[R], Callable[[T], R], T] | None] = queue.SimpleQueue()
        self._unfinished: set[Future[R]] = set()
        self._running: dict[Future[R], T] = {}
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop what has not begun, also what a thread has just taken; wait for what runs, but not for what hangs."""
        begun = [future for future in list(self._unfinished) if not future.cancel()]
        for _ in self._threads:
            self._orders.put(None)
        if isinstance(error, StalledError):
            return
        try:
            for future in begun:
                self._await(future)
            for thread in self._threads:  # it does nothing more, but until it has ended it holds what its work held
                thread.join()
        except StalledError:
            if error is None:
                raise

    def submit(self, work: Callable[[T], R], item: T) -> Future[R]:
        """Have ``work(item)`` done by the next thread that is free."""
        future: Future[R] = Future()
        self._unfinished.add(future)
        self._orders.put((future, work, item))
        return future

    def result(self, future: Future[R]) -> R:
        """Return what came of an order, and raise what it raised.

        :raises StalledError: the watch saw that nothing moves.
        """
        self._await(future)
        return future.result()

    def tick(self) -> None:
        """Look around."""
        self._tick(list(self._running.values()))

    def _await(self, future: Future[R]) -> None:
        while not future.done() and not wait([future], TICK_SECONDS).done:
            self.tick()

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            future, work, item = order
            if not future.set_running_or_notify_cancel():
                continue
            self._running[future] = item
            try:
                future.set_result(work(item))
            except BaseException as error:  # whoever asks for the result gets it
                future.set_exception(error)
            finally:
                del self._running[future]
                self._unfinished.discard(future)
