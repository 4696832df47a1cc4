"""Check what was staged, before a point rests on it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import tee

from incorta_provider.dr.diff import align
from incorta_provider.dr.manifest import Entry, shown
from incorta_provider.storage.digests import Reader
from incorta_provider.storage.manifest_file import edit, select
from incorta_provider.storage.staged_index import newest
from incorta_provider.storage.work_pool import in_order
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


def verify_staged(workspace: Workspace) -> StagedReport:
    """Read every staged file that the manifest names, and compare digests.

    :raises IntegrityError: the manifest cannot be read.
    """
    files, size = 0, 0
    damaged: list[bytes] = []
    faults = set(workspace.left_out())
    reader = Reader(os.fsencode(workspace.files), framing=True)
    for batch, readings in in_order(reader, _staged(workspace)):
        for entry, reading in zip(batch, readings, strict=True):
            files, size = files + 1, size + entry.size
            if not reading.holds(entry):
                damaged.append(entry.path)
            elif reading.framing is not None:
                log.warning("%s is not whole: %s", shown(entry.path), reading.framing)
                faults.add(entry.path)
    return StagedReport(files, size, tuple(damaged), tuple(sorted(faults)))


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
