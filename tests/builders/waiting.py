"""A clock that only waiting moves: what waits for a minute is tested in no time."""

from __future__ import annotations


class WaitingClock:
    """Stands for the module ``time`` where code asks for ``monotonic`` and ``sleep``; itself it is such a clock too."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def monotonic(self) -> float:
        """Return the seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
