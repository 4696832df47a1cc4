"""Room at the worker for files that are on their way from one storage to another and wait there whole."""

from __future__ import annotations

from pathlib import Path

from incorta_provider.exceptions import PreconditionError
from incorta_provider.storage.copying.free_space import RESERVE_BYTES, room
from incorta_provider.storage.faults import translated


def ensure_spool_room(folder: Path, size: int) -> None:
    """Refuse to begin with ``size`` bytes that ``folder`` has no room for.

    Others may be on their way at the same moment, so a disk can fill up all the same; what a write says then is told as
    a full disk of this folder.

    :raises PreconditionError: says what is needed and what is there.
    """
    with translated(str(folder)):
        free = room(folder).size
    if free < size + RESERVE_BYTES:
        raise PreconditionError(
            f"no room left at the worker for what is on its way to the target: {size} bytes are needed and "
            f"{RESERVE_BYTES} kept in reserve, {free} are free",
            where=str(folder),
            fix="Free space on the file system of the catalog or enlarge it, then retry; what was copied stays.",
        )
