"""End what does not move: a mount that hangs never fails by itself, and a task would wait forever."""

from __future__ import annotations

from collections.abc import Sequence

from incorta_provider.dr.manifest import Entry, shown
from incorta_provider.exceptions import TransientError
from incorta_provider.storage.flow.board import Counts

Batch = list[Entry]
_SHOWN = 10


class StalledError(TransientError):
    """No byte moved for too long; what hangs is not waited for."""


class Stillness:
    """Tells how long counts have not changed.

    :param seconds: how long is too long.
    :param now: seconds that only grow, as in all calls.
    """

    def __init__(self, seconds: float, now: float) -> None:
        self._seconds = seconds
        self._counts = Counts()
        self._changed = now

    def look(self, counts: Counts, now: float) -> float | None:
        """Take note of the counts; return for how many seconds they are as they are, if that is too long."""
        if counts != self._counts:
            self._counts, self._changed = counts, now
        quiet = now - self._changed
        return quiet if quiet >= self._seconds else None

    def forgive(self, now: float) -> None:
        """Begin to count again."""
        self._changed = now


class Watchdog:
    """Watches the counts of one copy.

    :param seconds: how long nothing may change.
    :param label: the source's address, for the error.
    :param now: seconds that only grow, as in all calls.
    """

    def __init__(self, seconds: float, label: str, now: float) -> None:
        self._stillness = Stillness(seconds, now)
        self._label = label

    def look(self, counts: Counts, in_flight: Sequence[Batch], now: float) -> None:
        """Take note of the counts.

        :param in_flight: what is being copied.
        :raises StalledError: they have not changed for too long; names the files that are in flight.
        """
        if not in_flight:
            self._stillness.forgive(now)
        if (quiet := self._stillness.look(counts, now)) is not None:
            raise StalledError(
                f"no byte moved for {quiet:.0f} s; in flight: {_named(in_flight)}",
                where=self._label,
                fix="Check the mounts and the network at both ends; the task is tried again and keeps what it copied.",
            )


def _named(batches: Sequence[Batch]) -> str:
    """Name the first file of each batch: batches of many files are of small ones, which lie side by side."""
    names = [
        shown(batch[0].path) + (f" and {len(batch) - 1} more up to {shown(batch[-1].path)}" if len(batch) > 1 else "")
        for batch in batches[:_SHOWN]
    ]
    more = [f"{len(batches) - _SHOWN} more batches"] if len(batches) > _SHOWN else []
    return ", ".join(names + more)
