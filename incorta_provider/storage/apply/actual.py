"""What the live replica really is, where its record cannot be believed: a listing that takes the record's place.

The record cannot be believed when services ran on the replica, or when a comparison found it different. What is found
is written as a manifest beside the journal, so that an apply which is cut off goes on from the same facts. A file that
looks like the wanted one, by size and time, is believed to be it; one that only may be it is read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from incorta_provider.dr.diff import align, looks_unchanged
from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.copying.work_pool import chunks
from incorta_provider.storage.manifest.manifest_file import ManifestWriter, read_manifest
from incorta_provider.storage.records.json_file import read_json, write_json
from incorta_provider.storage.volume import LIVE, STEPS, Volume


def actual_path(catalog: Catalog) -> Path:
    """Return where the findings of the apply that is under way lie; absent when it rests on the record."""
    return catalog.journal.with_name("found.parquet")


def write_actual(path: Path, volume: Volume, wanted: Path, suspects: Collection[bytes] = ()) -> None:
    """List the replica into a manifest at ``path``, with the digests of what may be the wanted file already.

    :param wanted: the manifest that the replica is to become.
    :param suspects: files that must be read, however they look.
    :raises IntegrityError: the replica holds what no recovery point can: a special file, or a link out of it.
    """
    with ManifestWriter(path) as writer:
        writer.extend(_found(volume, wanted, frozenset(suspects)))


def mark_diverged(catalog: Catalog) -> None:
    """Write down that services run on the replica from now on, so that it is not a point any more."""
    write_json(_mark(catalog), {"left": catalog.live_point_id()})


def is_diverged(catalog: Catalog) -> bool:
    """Tell whether services ran on the replica since it became the point that its record names."""
    return read_json(_mark(catalog)) is not None


def forget_divergence(catalog: Catalog) -> None:
    """Believe the record again: the replica was brought to a point from what was found."""
    _mark(catalog).unlink(missing_ok=True)


def _mark(catalog: Catalog) -> Path:
    return catalog.root / "diverged.json"


def _found(volume: Volume, wanted: Path, suspects: Collection[bytes]) -> Iterator[Entry]:
    reader = volume.reader(LIVE)
    for some in chunks(_judged(volume, wanted, suspects), STEPS):
        readings = iter(reader([found for found, is_known in some if not is_known]))
        for found, is_known in some:
            yield found if is_known else _with_digest(found, next(readings).sha256)


def _judged(volume: Volume, wanted: Path, suspects: Collection[bytes]) -> Iterator[tuple[Entry, bool]]:
    """Yield what the replica holds, and of each whether enough is known without reading it."""
    for found, entry in align(volume.live().list(), read_manifest(wanted)):
        if found is None:
            continue
        if entry is None or not found.kind is entry.kind is Kind.FILE or found.size != entry.size:
            yield found, True
        elif looks_unchanged(found, entry) and found.path not in suspects:
            yield _with_digest(found, entry.sha256), True
        else:
            yield found, False


def _with_digest(found: Entry, sha256: bytes | None) -> Entry:
    return Entry(found.path, Kind.FILE, found.size, found.mtime_ns, found.mode, sha256)
