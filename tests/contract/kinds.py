"""Which pairs of storage the contract is run against."""

from __future__ import annotations

PAIRS = (("file", "file"),)
"""Kind of source, kind of target."""
