"""How long a file must rest before it is read, so that no later write can hide behind the time that it is stamped with.

A write of the same size within the tick in which we read would leave no trace, neither now nor in any later pass. It
needs only the standard library, because it also runs at nodes.
"""

from __future__ import annotations

import time

SECOND_NS = 1_000_000_000
_TICK_NS = 20_000_000
"""Linux stamps files with the time of its last tick, every 1 to 10 ms; some file systems keep whole seconds."""


def seconds_to_rest(mtime_ns: int) -> float:
    """Return for how many seconds a file with this time may still change without a trace; 0.0 for none.

    By the clock of this machine, so only where it is the one that stamps.
    """
    tick = _tick_ns(mtime_ns)
    age = time.time_ns() - mtime_ns
    return (tick - age) / SECOND_NS if 0 <= age < tick else 0.0


def tick_seconds(mtime_ns: int) -> float:
    """Return how long this time must have been seen at a file, whatever clock stamped it, before the file is read."""
    return _tick_ns(mtime_ns) / SECOND_NS


def _tick_ns(mtime_ns: int) -> int:
    return _TICK_NS if mtime_ns % SECOND_NS else SECOND_NS
