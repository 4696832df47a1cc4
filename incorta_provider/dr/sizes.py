"""Numbers of bytes as people write and read them: ``20MB``, ``1.5 GiB``."""

from __future__ import annotations

import re

_UNITS = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")


def parse_size(text: str | int) -> int:
    """Return the bytes that ``text`` means: a number, with a unit of 1000 (kB, MB, GB, TB) or 1024 (KiB, MiB, …).

    :raises ValueError: it is not a size above zero; says what one looks like.
    """
    found = _SIZE.fullmatch(str(text).strip().lower())
    factor = _UNITS.get(found[2]) if found else None
    size = int(float(found[1]) * factor) if found and factor else 0
    if size < 1:
        raise ValueError(f"{text!r} is not a size such as 20MB, 1.5 GiB or 500000")
    return size


def shown_size(size: float) -> str:
    """Return a number of bytes with the decimal unit that keeps it short."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
