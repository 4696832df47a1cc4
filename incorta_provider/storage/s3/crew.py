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
"""Requests at once in one process, of which there are four: a request is mostly waiting. More of them took more memory
and gained nothing (numbers in ``docs/decisions/0030``)."""

T = TypeVar("T")
R = TypeVar("R")


def done_by_all(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Return what the work makes of each item, in their order.

    Its first failure is raised at once; then, and when this thread is interrupted, no further item is begun.
    """
    made: dict[int, R] = {}
    numbers = iter(range(len(items)))  # its next() is one step of the interpreter, so no two threads get the same

    def take_turns() -> None:
        for number in numbers:
            made[number] = work(items[number])

    threads = _threads()
    try:
        turns = [threads.submit(take_turns) for _ in range(min(THREADS, len(items)))]
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
        _pools.pool = ThreadPoolExecutor(THREADS)
    return _pools.pool
