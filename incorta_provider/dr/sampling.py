"""Which files a sampled compare reads today, so that all have been read within a number of days.

A path's digest puts it into one of ``days`` slots; each day has one. Nothing is remembered of single files: the day of
the last compare is enough, because the slots of the days since then are read together.
"""

from __future__ import annotations

import zlib


def slots(today: int, days: int, last: int | None = None) -> frozenset[int]:
    """Return the slots that are due.

    :param today: the number of the day, such as days since 1970.
    :param days: within how many days every file is to be read; 1 reads all each time.
    :param last: the day of the last compare; None when there was none, or none of this kind.
    """
    first = today if last is None or last >= today else max(last + 1, today - days + 1)
    return frozenset(day % days for day in range(first, today + 1))


def slot_of(path: bytes, days: int) -> int:
    """Return the slot of a path, the same on every day and at every site."""
    return zlib.crc32(path) % days
