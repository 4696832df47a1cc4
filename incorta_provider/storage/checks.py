"""Check what was staged, before a point rests on it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import tee

from incorta_provider.dr.diff import align
from incorta_provider.dr.manifest import Entry, shown
from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.manifest_file import edit, select
from incorta_provider.storage.staged_index import newest
from incorta_provider.storage.target import Target
from incorta_provider.storage.volume import STEPS
from incorta_provider.storage.work_pool import chunks, in_order
from incorta_provider.storage.workspace import Workspace

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StagedReport:
    """What reading the staged files again showed.

    :param files: how many were read, ``size`` bytes in all.
    :param damaged: do not hold what was copied; the point must not be sealed.
    :param framing_faults: Parquet files that are not whole yet, and files that changed under every copy. They must not
        be in the manifest.
    """

    files: int
    size: int
    damaged: tuple[bytes, ...]
    framing_faults: tuple[bytes, ...]


def verify_staged(target: Target, workspace: Workspace) -> StagedReport:
    """Read every staged file that the manifest names, and compare digests.

    :raises IntegrityError: the manifest cannot be read.
    """
    files, size = 0, 0
    damaged: list[bytes] = []
    faults = set(workspace.left_out())
    reader = target.staged_reader(workspace)
    for batch, readings in in_order(reader, _staged(workspace), reader.limits):
        for entry, reading in zip(batch, readings, strict=True):
            files, size = files + 1, size + entry.size
            if not reading.holds(entry):
                damaged.append(entry.path)
            elif reading.framing is not None:
                log.warning("%s is not whole: %s", shown(entry.path), reading.framing)
                faults.add(entry.path)
    return StagedReport(files, size, tuple(damaged), tuple(sorted(faults)))


def ensure_staged(target: Target, workspace: Workspace) -> None:
    """Refuse staged files that were touched since they were read: an apply believes their size and time.

    :raises IntegrityError: names the first of them.
    """
    batches = chunks(_staged(workspace), STEPS)
    touched = [path for batch in batches for path in target.touched(workspace, batch)]
    if touched:
        raise IntegrityError(
            f"{len(touched)} staged file(s) were replaced since they were checked, the first is {shown(touched[0])}",
            where=str(workspace.root),
            fix="Nothing was published. Find out what else writes there; the next run starts over.",
        )


def drop_from_manifest(workspace: Workspace, paths: Iterable[bytes]) -> None:
    """Take files out of the point to be; paths that are not in it are fine."""
    dropped = set(paths)
    workspace.save_left_out(dropped.union(workspace.left_out()))
    edit(workspace.manifest, workspace.manifest, ((path, None) for path in sorted(dropped)))


def _staged(workspace: Workspace) -> Iterator[Entry]:
    """Yield the manifest's entries whose bytes this run staged."""
    staged, names = tee(newest(workspace.indexes()))
    for copied, entry in align(staged, select(workspace.manifest, (named.path for named in names))):
        if copied is not None and entry is not None and (copied.size, copied.sha256) == (entry.size, entry.sha256):
            yield entry
