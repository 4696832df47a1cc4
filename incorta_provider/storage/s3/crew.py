"""Threads that do a batch of work together, each taking the next item when it has done one.

Who waits for them is woken once a batch. A future for each item would wake it for each, and a thread that wakes up in
Python takes the interpreter from another one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

THREADS = 16
"""Requests at once in one process, of which there are four: a request is mostly waiting. With files of a megabyte, more
of them took more memory and gained nothing."""

MOST_THREADS = 64
"""The same with small files: the server brings many to its disk with one write (numbers in ``docs/decisions/0030``)."""

_IN_FLIGHT_BYTES = 16 * 1024 * 1024
"""In one process; with :data:`THREADS` requests it may be more."""

T = TypeVar("T")
R = TypeVar("R")


def at_once(files: int, size: int) -> int:
    """Return how many requests at once do for files of so many bytes in all.

    >>> at_once(1000, 1000 * 16_384), at_once(1000, 1000 * 1_048_576), at_once(0, 0)
    (64, 16, 16)
    """
    return min(MOST_THREADS, max(THREADS, _IN_FLIGHT_BYTES * files // max(1, size)))


def done_by_all(work: Callable[[T], R], items: Sequence[T], count: int = THREADS) -> list[R]:
    """Return what the work makes of each item, in their order.

    Its first failure is raised at once; then, and when this thread is interrupted, no further item is begun.

    :param count: how many items are worked on at once, up to :data:`MOST_THREADS`.
    """
    made: dict[int, R] = {}
    numbers = iter(range(len(items)))  # its next() is one step of the interpreter, so no two threads get the same

    def take_turns() -> None:
        for number in numbers:
            made[number] = work(items[number])

    threads = _threads()
    try:
        turns = [threads.submit(take_turns) for _ in range(min(count, len(items)))]
        ended, _ = wait(turns, return_when=FIRST_EXCEPTION)
        for turn in ended:
            turn.result()
    finally:
        for _ in numbers:
            pass
    return [made[number] for number in range(len(items))]


class _Pools(threading.local):
    """One pool for each thread that calls: batches of different threads do not wait for each other."""

    pool: ThreadPoolExecutor | None = None


_pools = _Pools()


def _threads() -> ThreadPoolExecutor:
    if _pools.pool is None:
        _pools.pool = ThreadPoolExecutor(MOST_THREADS)
    return _pools.pool
