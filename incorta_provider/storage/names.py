"""File names for keys that may hold any character, such as Airflow's run ids."""

from __future__ import annotations

import hashlib
import re


def folder_name(key: str) -> str:
    """Return a file name for ``key``: readable, and unique by its digest.

    >>> folder_name("manual__2026-11-25T03:04:05+00:00")
    'manual__2026-11-25T03_04_05_00_00-95caeb72'
    """
    readable = re.sub(r"[^A-Za-z0-9._-]+", "_", key)[:80].strip("._") or "run"
    return f"{readable}-{hashlib.sha256(key.encode(errors='surrogatepass')).hexdigest()[:8]}"
