"""Slows a process down when the server asks for it, and speeds it up again: one pace for all threads of a bucket."""

from __future__ import annotations

import random
import threading
import time

FIRST_SECONDS = 0.05
LONGEST_SECONDS = 5.0

_RECOVERY = 0.9
_NEGLIGIBLE_SECONDS = 0.001
_LONGEST_GAP_SECONDS = 2.0


class Pace:
    """A pause before each request: doubled by each refusal for speed, a tenth shorter with each success."""

    def __init__(self) -> None:
        self._gap = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait as long as the server's refusals demand."""
        if self._gap:
            time.sleep(self._gap * random.uniform(0.5, 1.5))  # noqa: S311 - spreads threads, hides nothing

    def slower(self) -> None:
        """Note that the server asked for less."""
        with self._lock:
            self._gap = min(max(self._gap * 2, FIRST_SECONDS), _LONGEST_GAP_SECONDS)

    def faster(self) -> None:
        """Note a success."""
        if self._gap:
            with self._lock:
                self._gap = self._gap * _RECOVERY if self._gap > _NEGLIGIBLE_SECONDS else 0.0


def backoff(attempt: int) -> float:
    """Return how many seconds to wait after a try (0 is the first): doubling, with some chance in it."""
    return min(FIRST_SECONDS * 2.0**attempt, LONGEST_SECONDS) * random.uniform(0.5, 1.0)  # noqa: S311 - as above
