"""Room at the worker for files that are on their way from one storage to another and wait there whole.

They wait in the workspace, so all shards of a run, on whichever worker, share the disk of the catalog. Before a copy
begins there must be room for the most that can wait at once: one batch for each worker of the copier, the largest files
among them. What other shards may need is counted, less what of theirs waits already.
"""

from __future__ import annotations

import os
from pathlib import Path

from incorta_provider.exceptions import PreconditionError, TransientError
from incorta_provider.storage.copying.free_space import RESERVE_BYTES, room
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.faults import translated
from incorta_provider.storage.flow.oversight import Oversight
from incorta_provider.storage.flow.progress import Total
from incorta_provider.storage.manifest.manifest_file import largest_sizes
from incorta_provider.storage.target import Copier

_KNOWN = 1_000
"""Where fewer files than this wait at all, what they have together is known, however many small ones are copied too."""


def ensure_room_on_the_way(
    copier: Copier, pending: Path, total: Total, workspace: Workspace, oversight: Oversight
) -> None:
    """Refuse a copy whose files have no room to wait at the worker; nothing was copied.

    :param pending: manifest of what is to be copied; of ``total`` in all that is left of it.
    :raises PreconditionError: there is less than the copy needs by itself.
    :raises TransientError: there is less than it needs beside other shards.
    """
    if not (needed := most_waiting(copier, pending, total)):
        return
    others = oversight.reserve(needed)
    with translated(str(workspace.partial)):
        free = room(workspace.partial).size
        waiting = _size_below(workspace.partial) if others else 0
    if free + waiting >= needed + others + RESERVE_BYTES:
        return
    what = f"{needed} bytes may be on their way to the target at once"
    if free + waiting < needed + RESERVE_BYTES:
        raise PreconditionError(
            f"no room at the worker for files that wait there: {what} and {RESERVE_BYTES} are kept in reserve, "
            f"{free + waiting} are free",
            where=str(workspace.partial),
            fix="Nothing was copied. Free space on the file system of the catalog or enlarge it, then retry.",
        )
    raise TransientError(
        f"no room at the worker for another shard now: {what}, up to {others} of other shards and {RESERVE_BYTES} are "
        f"kept in reserve, {free + waiting} are free",
        where=str(workspace.partial),
        fix="Retry when other shards have ended, or enlarge the file system of the catalog.",
    )


def most_waiting(copier: Copier, pending: Path, total: Total) -> int:
    """Return how many bytes wait at the worker at once at most: a batch ends with the file that fills it."""
    if copier.spooled_above is None:
        return 0
    limits = copier.limits.for_total(total.files, total.size)
    largest = [size for size in largest_sizes(pending, _KNOWN) if size > copier.spooled_above]
    most = sum(largest[: limits.workers]) + limits.workers * limits.batch_bytes
    everything = sum(largest) if len(largest) < _KNOWN else total.size
    return min(total.size, everything, most)


def _size_below(folder: Path) -> int:
    """Return how many bytes lie in a folder that others write to and remove from meanwhile."""
    size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                size += (Path(place) / name).lstat().st_blocks * 512
            except FileNotFoundError:
                continue
    return size
