"""What the vault keeps and no point needs any more.

A kept file is needed when a manifest has its bytes under its path: by size and time, or, where only the time differs,
by its digest. What no retained point needs goes when a point that is being dropped needed it, or when it was staged for
a point and is not in it. What no point ever named stays: somebody wrote it at this site, and nobody else may have it.

The vault is listed in path order, some files at a time, and of the manifests only the parts with these paths are read.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from incorta_provider.dr.diff import same_mtime
from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.catalog import DROPPED, POINT
from incorta_provider.storage.copying.work_pool import chunks
from incorta_provider.storage.manifest.manifest_file import read_totals, select
from incorta_provider.storage.records.json_file import read_model
from incorta_provider.storage.vault.areas import HISTORY
from incorta_provider.storage.vault.vault import Vault

log = logging.getLogger(__name__)

AT_ONCE = 20_000
"""How many kept files are held against the manifests together."""

_Kept = tuple[Entry, bytes]
"""A kept file and the area where it lies."""


def leftovers(vault: Vault, retained: Sequence[Path], dropped: Sequence[Path]) -> Iterator[tuple[bytes, int]]:
    """Yield each kept file that goes, as its place in the vault and its size in bytes.

    Of the staging areas only those of the points that are named here are looked at: a run may stage or seal meanwhile.

    :param dropped: manifests that may be gone or damaged; their points' records are still beside them.
    """
    readable = [path for path in dropped if _is_readable(path)]
    staged = _staged_areas(vault, (*retained, *dropped))
    areas = [*staged, *vault.volume.areas(f"{HISTORY}/*/*")]
    kept = heapq.merge(*(_located(vault, area) for area in areas), key=lambda found: found[0].path)
    for some in chunks(kept, AT_ONCE):
        free = _not_named(vault, some, retained)
        foreign = set(_not_named(vault, [found for found in free if found[1] not in staged], readable))
        for entry, area in free:
            if (entry, area) not in foreign:
                yield area + b"/" + entry.path, entry.size


def _staged_areas(vault: Vault, manifests: Iterable[Path]) -> frozenset[bytes]:
    """Return the staging areas of points; that of one whose record is damaged is not known, and nothing of it goes."""
    return frozenset(vault.areas.of_point(point) for path in manifests if (point := _record(path)) is not None)


def _is_readable(manifest: Path) -> bool:
    """Tell whether a manifest of a point that goes can be read; what it alone names counts as foreign otherwise."""
    try:
        return manifest.exists() and read_totals(manifest).entries >= 0
    except IntegrityError as error:
        log.warning("%s", error)
        return False


def _record(manifest: Path) -> RecoveryPoint | None:
    try:
        return read_model(manifest.with_name(POINT), RecoveryPoint) or read_model(
            manifest.with_name(DROPPED), RecoveryPoint
        )
    except IntegrityError:
        return None


def _located(vault: Vault, area: bytes) -> Iterator[_Kept]:
    return ((entry, area) for entry in vault.volume.kept(area))


def _not_named(vault: Vault, kept: Sequence[_Kept], manifests: Sequence[Path]) -> list[_Kept]:
    """Return the files whose bytes none of the manifests has under their path; of each is asked until one has it."""
    left, read = list(kept), _Digests(vault)
    for manifest in manifests:
        if not left:
            break
        paths = sorted({entry.path for entry, _ in left})
        named = {entry.path: entry for entry in select(manifest, paths) if entry.kind is Kind.FILE}
        left = [found for found in left if not _is_same(found, named.get(found[0].path), read)]
    return left


def _is_same(kept: _Kept, named: Entry | None, read: _Digests) -> bool:
    entry, _ = kept
    if named is None or named.size != entry.size:
        return False
    return same_mtime(named.mtime_ns, entry.mtime_ns) or read.of(kept) == named.sha256


class _Digests:
    """The digests of kept files, each read once."""

    def __init__(self, vault: Vault) -> None:
        self._volume = vault.volume
        self._known: dict[_Kept, bytes | None] = {}

    def of(self, kept: _Kept) -> bytes | None:
        """Return the digest of a file; None when it is gone."""
        if kept not in self._known:
            entry, area = kept
            (reading,) = self._volume.reader(area)([entry])
            self._known[kept] = reading.sha256
        return self._known[kept]
