"""Do long work that is not a copy in a thread that can be left behind, and end it when it shows no sign of life.

A listing, a check, a seal or an apply waits forever on a mount that hangs, exactly as a copy does. Who moves bytes
or goes on from one file to the next says so (:mod:`~incorta_provider.storage.flow.throttle`), whatever it works for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import Generic, TypeVar

from incorta_provider.storage.flow.board import Board
from incorta_provider.storage.flow.crew import Crew
from incorta_provider.storage.flow.throttle import Throttle, alive, inherited, lent
from incorta_provider.storage.flow.watchdog import StalledError, Stillness

T = TypeVar("T")
R = TypeVar("R")


def watched(
    work: Callable[[], R], what: str, seconds: float, label: str, clock: Callable[[], float] = time.monotonic
) -> R:
    """Return ``work()``, or raise what it raised.

    When this ends in any other way, the work ends at its next sign of life, so it must be fit to be cut off there.

    :param what: is done, for the error.
    :param seconds: how long there may be no sign of life.
    :param label: where it is done, for the error.
    :raises StalledError: there was none; what hangs is not waited for.
    """
    board = Board()
    throttle = Throttle(board, None)
    stillness = Stillness(seconds, clock())

    def look(_: list[str]) -> None:
        if (quiet := stillness.look(board.counts(), clock())) is not None:
            raise StalledError(
                f"{what}: no sign of life for {quiet:.0f} s",
                where=label,
                fix="Check the mounts and the network there; the task is tried again.",
            )

    def begin(_: str) -> R:
        throttle.mine()
        return work()

    with closing(board), Crew[str, R](1, look) as crew:
        try:
            return crew.result(crew.submit(begin, what))
        except BaseException:
            throttle.give_up()
            raise


class Telling(Generic[T, R]):
    """Work that others do for whoever makes this: each piece that is done is a sign of life of theirs.

    It can be pickled with the work, for helper processes.
    """

    def __init__(self, work: Callable[[T], R]) -> None:
        self._work = work
        self._inherit = inherited()

    def __call__(self, item: T) -> R:
        """Do one piece."""
        with lent(self._inherit):
            done = self._work(item)
            alive()
            return done
