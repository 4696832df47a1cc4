"""The one thing that code which moves bytes has to do: call :func:`moved`.

::

    from incorta_provider.storage.flow.throttle import moved

    while chunk := read():
        write(chunk)
        moved(len(chunk))

That counts the bytes for the progress and for the watchdog, and waits where a bandwidth limit is set, so that all
threads and helper processes of one copy together stay below it. Chunks of 64 KB to 1 MB make it smooth. Outside of a
copy it does nothing and costs nothing, so tests and other callers need no set-up.

* Call it once for each byte that crosses the wire or the disk, from any thread, also from those of a library.
* Who starts threads hands its throttle to them, see :func:`inherited`, :func:`lent` and :func:`handed_on`.
* What moves bytes by a program of its own asks :func:`share` for its ``--bwlimit`` before each batch, and calls
  ``moved(size, wait=False)`` as the program tells its progress, or at the end of the batch.
* What goes on without a byte, from folder to folder or file to file, calls :func:`alive` now and then. So does what
  is about to make something exist: work that was given up ends there.
* What waits on purpose for longer than a few seconds calls :func:`alive`, or the watchdog takes it for hanging.

:raises TransientError: the copy was given up meanwhile: what still runs of it must not write on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from incorta_provider.exceptions import TransientError
from incorta_provider.storage.flow.board import Board
from incorta_provider.storage.flow.bucket import take
from incorta_provider.storage.flow.limit import Limit

T = TypeVar("T")
R = TypeVar("R")

_NAP_SECONDS = 0.25
"""So soon a wait sees a limit that was changed."""


class Throttle:
    """Counts and slows down the bytes of one copy; pickled, it is the same copy's in a helper process.

    :param limit: None for a copy that nothing limits.
    """

    def __init__(
        self,
        board: Board,
        limit: Limit | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.board = board
        self._limit = limit
        self._clock = clock
        self._sleep = sleep
        self._given_up = False

    def moved(self, size: int, *, wait: bool = True) -> None:
        """Count ``size`` bytes, and wait as long as the limit demands."""
        if self._given_up:
            raise TransientError("the copy was given up", where="a thread of it", fix="None needed: it is tried again.")
        self.board.move(size)
        if wait and self._limit is not None:
            self._wait(size, self._limit)

    def alive(self) -> None:
        """Count a sign of life."""
        if self._given_up:
            raise TransientError("the work was given up", where="a thread of it", fix="None needed: it is tried again.")
        self.board.add(beats=1)

    def share(self, workers: int) -> int | None:
        """Return how many bytes a second one of ``workers`` may move; None for no limit."""
        total = None if self._limit is None else self._limit.share()
        return total and max(1, total // workers)

    def give_up(self) -> None:
        """Stop threads of this process that hang now, should they ever come back."""
        self._given_up = True

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make this the throttle that :func:`moved` means in this process; for the threads that libraries make."""
        global _current  # noqa: PLW0603 - such a thread inherits nothing else
        before, _current = _current, self
        try:
            yield
        finally:
            _current = before

    def mine(self) -> None:
        """Make this the throttle that :func:`moved` means in this thread, also when the copy was given up since."""
        _thread.throttle = self

    def _wait(self, size: int, limit: Limit) -> None:
        while rate := limit.share():
            with self.board.locked():
                seconds = take(self.board.bucket, size, rate=rate, now=self._clock())
            if not seconds:
                return
            self.board.add(beats=1)
            self._sleep(min(seconds, _NAP_SECONDS))
            if self._given_up:
                return


class _Thread(threading.local):
    throttle: Throttle | None = None


_thread = _Thread()
_current: Throttle | None = None


def moved(size: int, *, wait: bool = True) -> None:
    """Count ``size`` bytes of the copy that this is a part of; and wait, unless told not to, for the limit."""
    if (throttle := _thread.throttle or _current) is not None:
        throttle.moved(size, wait=wait)


def inherited() -> Callable[[], None]:
    """Return what makes the throttle of this thread that of another, which calls it; it can be pickled."""
    throttle = _thread.throttle or _current
    return _nothing if throttle is None else throttle.mine


@contextmanager
def lent(inherit: Callable[[], None]) -> Iterator[None]:
    """Let this thread mean what it inherits, and afterwards what it meant before: it may be one that lives on."""
    before = _thread.throttle
    inherit()
    try:
        yield
    finally:
        _thread.throttle = before


def handed_on(work: Callable[[T], R]) -> Callable[[T], R]:
    """Return the same work for threads of a pool: with the throttle of this thread, and a sign of life an item."""
    inherit = inherited()

    def do(item: T) -> R:
        with lent(inherit):
            done = work(item)
            alive()
            return done

    return do


def _nothing() -> None:
    """Inherit nothing."""


def alive() -> None:
    """Tell the watchdog that work goes on, or that a wait is meant."""
    if (throttle := _thread.throttle or _current) is not None:
        throttle.alive()


def share(workers: int) -> int | None:
    """Return how many bytes a second each of ``workers`` may move right now; None for no limit."""
    throttle = _thread.throttle or _current
    return None if throttle is None else throttle.share(workers)
