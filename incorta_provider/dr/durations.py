"""Durations as people write them in the topology: ``90 m``, ``2 h``, ``14 d``, ``6 w``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator

_WRITTEN = re.compile(r"(\d{1,6}) ?(m|h|d|w)")
_UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


def parse_duration(text: str) -> timedelta:
    """Return the duration that a text means.

    >>> parse_duration("90 m") == parse_duration("90m") == timedelta(hours=1, minutes=30)
    True

    :raises ValueError: it is not a duration, or it is zero.
    """
    written = _WRITTEN.fullmatch(text.strip())
    if written is None or not int(written[1]):
        raise ValueError(f"{text[:40]!r} is not a duration; write a number and m, h, d or w, such as 2 h or 14 d")
    return int(written[1]) * _UNITS[written[2]]


def in_words(duration: timedelta) -> str:
    """Return a duration in the largest unit that gives a whole number.

    >>> in_words(timedelta(hours=48)), in_words(timedelta(minutes=90))
    ('2 d', '90 m')
    """
    unit = next(unit for unit in reversed(_UNITS) if not duration % _UNITS[unit] or unit == "m")
    return f"{duration // _UNITS[unit]} {unit}"


def _read(value: Any) -> Any:
    return value if isinstance(value, timedelta) else parse_duration(str(value))


Duration = Annotated[timedelta, BeforeValidator(_read)]
"""A field of the topology that holds a duration."""
