"""Judge the frame of a Parquet file by its two ends, where the node that has it lacks a library for Parquet."""

from __future__ import annotations

import tempfile

from incorta_provider.storage.parquet_framing import framing_fault

UNJUDGED = "unjudged"
"""What an agent says instead of a fault that it cannot exclude."""

PARQUET_MAGIC = 4
PARQUET_TAIL = 8


def fault_of_ends(size: int, ends: bytes) -> str | None:
    """Return what is wrong with a file of ``size`` bytes; None when it is whole.

    :param ends: its first bytes, then all from the footer on. What lies between is holes here, and is not looked at.
    """
    with tempfile.TemporaryFile() as file:
        file.write(ends[:PARQUET_MAGIC])
        file.seek(size - len(ends) + PARQUET_MAGIC)
        file.write(ends[PARQUET_MAGIC:])
        file.flush()
        return framing_fault(file.fileno())
