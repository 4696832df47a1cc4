"""Work on many files at once, results in the order of the files.

Threads do for few files, and for large ones, whose digests and copies run outside of Python's global lock. With many
small files threads hurt: each file is a dozen system calls of a microsecond, and handing the lock over costs more than
the call (measured with files of 8 KB: 29 µs a file in one thread, 41 µs in two). So many files get helper processes
(:mod:`~incorta_provider.storage.copying.helpers`), one thread here only waiting for each.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

from incorta_provider.dr.manifest import Entry
from incorta_provider.storage.copying.helpers import Helpers
from incorta_provider.storage.flow.crew import Crew, Tick, no_tick

Batch = list[Entry]
R = TypeVar("R")
T = TypeVar("T")

WORKERS = min(max(4, os.cpu_count() or 1), 8)
"""More than processors: on a network file system most of the time is waiting."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How one kind of work is handed out.

    :param workers: how many calls at once pay.
    :param batch_files: a batch has at most this many files, and ends with the file that fills ``batch_bytes``. A few
        folders' worth: processes that make files in one folder wait for each other in the kernel.
    :param least_files: in smaller batches, handing one over costs more than it saves; ``least_bytes``: the same.
    :param helpers_from: from so many files on it pays to start helper processes, which takes a quarter of a second;
        None where it never does, or where the work cannot be pickled.
    """

    workers: int = WORKERS
    batch_files: int = 256
    batch_bytes: int = 4 * 1024 * 1024
    least_files: int = 16
    least_bytes: int = 1024 * 1024
    helpers_from: int | None = 3_000

    def for_total(self, files: int, size: int) -> Limits:
        """Return the same for work of which all is known, with batches so small that every worker gets some.

        The last batch is waited for by all, so each worker gets :data:`SHARES` of them if there is so much to do, and
        as many as any other: of ten batches for four workers, the last two would leave half of them idle.
        """
        return replace(
            self,
            batch_files=self._even(files, self.batch_files, self.least_files),
            batch_bytes=self._even(size, self.batch_bytes, self.least_bytes),
        )

    def _even(self, total: int, most: int, least: int) -> int:
        turns = max(SHARES, -(-total // (most * self.workers)))
        return min(most, max(least, -(-total // (turns * self.workers))))


LIMITS = Limits()
"""What does for files of a mounted file system."""

SHARES = 2
"""So many batches each worker gets at least; and so many are begun before a result is yielded: whoever takes
results may be slow."""

_AHEAD = 128
"""How many batches may be unfinished behind a slow one."""

_AHEAD_FILES = 65_536
"""How many files they may have, each of which takes a kilobyte; bounds memory."""


def in_order(
    work: Callable[[Batch], R], entries: Iterable[Entry], limits: Limits = LIMITS, tick: Tick[Batch] = no_tick
) -> Iterator[tuple[Batch, R]]:
    """Yield each batch with ``work(batch)``, in the order of the entries.

    The first error ends it: what has not begun is dropped, what runs is waited for, unless it hangs.

    :param work: picklable, if the limits allow helper processes.
    :param tick: looks around, also while a batch is waited for.
    """
    running: deque[tuple[Batch, Future[R]]] = deque()
    begun, begun_ahead = 0, limits.workers * SHARES
    most_ahead = max(begun_ahead, min(_AHEAD, _AHEAD_FILES // limits.batch_files))
    with ExitStack() as stack, Crew[Batch, R](limits.workers, tick) as crew:
        for batch in batches(entries, limits):
            if limits.helpers_from is not None and begun < limits.helpers_from <= begun + len(batch):
                work = stack.enter_context(Helpers(work, limits.workers))
            begun += len(batch)
            running.append((batch, crew.submit(work, batch)))
            crew.tick()
            while len(running) > most_ahead or (len(running) > begun_ahead and running[0][1].done()):
                yield _finished(running, crew)
        while running:
            yield _finished(running, crew)


def _finished(running: deque[tuple[T, Future[R]]], crew: Crew[T, R]) -> tuple[T, R]:
    item, future = running.popleft()
    return item, crew.result(future)


def in_threads(work: Callable[[T], R], items: Iterable[T], count: int) -> Iterator[tuple[T, R]]:
    """Yield each item with ``work(item)``, in their order.

    The first error ends it: what has not begun is dropped, what runs is waited for.

    :param count: so many are worked on at once, in threads, and as many wait.
    """
    if count == 1:
        yield from ((item, work(item)) for item in items)
        return
    running: deque[tuple[T, Future[R]]] = deque()
    with Crew[T, R](count) as crew:
        for item in items:
            running.append((item, crew.submit(work, item)))
            if len(running) > 2 * count:
                yield _finished(running, crew)
        while running:
            yield _finished(running, crew)


def batches(entries: Iterable[Entry], limits: Limits) -> Iterator[Batch]:
    """Group entries, so that handing a batch over costs little beside the work on it."""
    batch: Batch = []
    size = 0
    for entry in entries:
        batch.append(entry)
        size += entry.size
        if len(batch) >= limits.batch_files or size >= limits.batch_bytes:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Group items, ``size`` at a time."""
    ahead = iter(items)
    while chunk := list(islice(ahead, size)):
        yield chunk
