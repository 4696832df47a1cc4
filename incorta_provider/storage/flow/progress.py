"""How far a copy is and how fast it goes, as one line for the task's log."""

from __future__ import annotations

from dataclasses import dataclass

from incorta_provider.dr.sizes import shown_size
from incorta_provider.storage.flow.board import Counts

FIRST_SECONDS = 3.0
"""A copy that is shorter than this needs no line."""
NEXT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Total:
    """What a copy has to do, by the listing."""

    files: int
    size: int


@dataclass(frozen=True, slots=True)
class Report:
    """How far a copy is.

    :ivar bytes_per_second: since the report before, and ``files_per_second`` too; of the last one over the whole copy.
    :ivar seconds_left: None where nobody can tell.
    """

    done: Counts
    total: Total
    bytes_per_second: float
    files_per_second: float
    seconds_left: float | None

    def line(self) -> str:
        """Return the line for the log."""
        share = self.done.size / self.total.size if self.total.size else self.done.files / max(1, self.total.files)
        left = "time left unknown" if self.seconds_left is None else f"{shown_seconds(self.seconds_left)} left"
        return (
            f"copied {self.done.files:,} of {self.total.files:,} files, "
            f"{shown_size(self.done.size)} of {shown_size(self.total.size)} ({min(1.0, share):.0%}); "
            f"{self._rates()}; {left}{self._retries()}"
        )

    def summary(self, seconds: float) -> str:
        """Return the line at the end."""
        done = f"copied {self.done.files:,} files, {shown_size(self.done.size)} in {shown_seconds(seconds)}"
        return f"{done}; {self._rates()}{self._retries()}"

    def _rates(self) -> str:
        return f"{shown_size(self.bytes_per_second)}/s, {self.files_per_second:,.0f} files/s"

    def _retries(self) -> str:
        return f"; {self.done.retries:,} tried again" if self.done.retries else ""


class Progress:
    """Makes the reports of one copy, each when it is due.

    :param now: seconds that only grow, as in all calls.
    """

    def __init__(self, total: Total, now: float) -> None:
        self._total = total
        self._began = self._at = now
        self._due = now + FIRST_SECONDS
        self._before = Counts()

    def is_due(self, now: float) -> bool:
        """Tell whether it is time for a report; asked often."""
        return now >= self._due

    def report(self, done: Counts, now: float) -> Report:
        """Return what was done since the report before; the next one is due later."""
        seconds = max(now - self._at, 1e-9)
        size, files = done.size - self._before.size, done.files - self._before.files
        self._at, self._before, self._due = now, done, now + NEXT_SECONDS
        left = _seconds_left(self._total.size - done.size, size / seconds)
        left_files = _seconds_left(self._total.files - done.files, files / seconds)
        longest = None if left is None or left_files is None else max(left, left_files)
        return Report(done, self._total, size / seconds, files / seconds, longest)

    def last(self, done: Counts, now: float) -> tuple[Report, float]:
        """Return the report on the whole copy, and the seconds that it took."""
        seconds = max(now - self._began, 1e-9)
        return Report(done, self._total, done.size / seconds, done.files / seconds, 0.0), seconds


def shown_seconds(seconds: float) -> str:
    """Return a duration as ``h:mm:ss``, or ``m:ss`` below an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _seconds_left(left: int, rate: float) -> float | None:
    if left <= 0:
        return 0.0
    return left / rate if rate else None
