"""A token bucket with debt: who comes while it is not empty takes all it needs at once, and the next one waits longer.

So a chunk of any size passes, no chunk is cut, and the bytes over time are what the limit says. The debt is in bytes: a
limit that was raised meanwhile works it off faster.
"""

from __future__ import annotations

from typing import Protocol

BURST_SECONDS = 0.1
"""How much of a pause may be caught up with."""


class Cells(Protocol):
    """The state: bytes in the bucket, below zero for a debt; and when that was so, in seconds."""

    def __getitem__(self, index: int, /) -> float: ...

    def __setitem__(self, index: int, value: float, /) -> None: ...


def take(cells: Cells, size: int, *, rate: int, now: float) -> float:
    """Take ``size`` bytes and return 0; or take nothing and return the seconds until it pays to ask again.

    :param rate: bytes per second.
    """
    filled = cells[0] + (now - cells[1]) * rate
    cells[0], cells[1] = min(filled, BURST_SECONDS * rate), now
    if cells[0] <= -1:  # less than a byte is what rounding leaves
        return -cells[0] / rate
    cells[0] -= size
    return 0.0
