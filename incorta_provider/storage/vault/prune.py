"""Drop recovery points: first the record, by one rename, then the bytes that no other point needs, then the rest.

A folder without ``point.json`` is not a point, so there is never half a point. Its manifest stays until its bytes are
gone: a prune that was killed finds it by ``dropped.json`` and goes on. Files that it brought stay where they are while
another point needs them, and its old record with them; the folder goes with the last of them.

The caller holds the catalog's lock ``apply``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime

from incorta_provider.dr.frozen import FrozenModel
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.exceptions import IntegrityError, PreconditionError
from incorta_provider.storage.catalog import DROPPED, POINT, Catalog
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.durable import sync_folder
from incorta_provider.storage.faults import target_fault
from incorta_provider.storage.folders import remove_tree
from incorta_provider.storage.manifest.manifest_file import read_totals
from incorta_provider.storage.records.json_file import read_model, write_json
from incorta_provider.storage.target import Target

_WHY = "dropping.json"


class Dropping(FrozenModel):
    """Why a point is dropped: written beside its record before that is renamed, for the line in the ledger."""

    point: str
    reason: str
    by: str
    run_id: str
    at: AwareDatetime


class Freed:
    """What was deleted, or would be; counted while it is named.

    :ivar files: kept files or versions.
    :ivar size: bytes.
    """

    def __init__(self) -> None:
        self.files = 0
        self.size = 0

    def counted(self, found: Iterator[tuple[bytes, int]]) -> Iterator[bytes]:
        """Yield the places of what was found."""
        for place, size in found:
            self.files += 1
            self.size += size
            yield place


def ensure_nothing_under_way(catalog: Catalog) -> None:
    """Refuse while the journal of an apply names files that are still to be moved.

    :raises PreconditionError: an apply was cut off.
    """
    if catalog.journal.exists():
        raise PreconditionError(
            "an apply was cut off and is not finished; it may need files that would be deleted",
            where=str(catalog.journal),
            fix="Nothing was deleted. The next replication run finishes it.",
        )


def manifests_that_stay(catalog: Catalog, dropped: Sequence[str]) -> list[Path]:
    """Return the manifests of all points but those, also of points whose record is damaged: each proven readable.

    :raises IntegrityError: one cannot be read, so nobody knows which bytes its point needs.
    """
    names = [point.id for point in catalog.points()] + list(catalog.damaged())
    found = [catalog.manifest_path(name) for name in names if name not in dropped]
    for path in found:
        try:
            read_totals(path)
        except IntegrityError as error:
            raise IntegrityError(
                f"a retained point's {error.what}: which bytes it needs is not known",
                where=str(path.parent),
                fix="Nothing was deleted. Restore the file from a copy, or move the folder out of the catalog by hand.",
            ) from None
    return found


def drop(catalog: Catalog, point: RecoveryPoint, *, reason: str, by: str, run_id: str, at: datetime) -> None:
    """Make a point none: its record gets another name."""
    folder = catalog.point_dir(point.id)
    why = Dropping(point=point.id, reason=reason, by=by, run_id=run_id, at=at)
    try:
        write_json(folder / _WHY, why.model_dump(mode="json"))
        (folder / POINT).rename(folder / DROPPED)
        sync_folder(folder)
    except OSError as error:
        raise target_fault(error, str(folder)) from None


def dropped(catalog: Catalog) -> list[tuple[RecoveryPoint, Dropping]]:
    """Return the points whose record was renamed and whose manifest is still there, each with why."""
    found = []
    for path in _old_records(catalog):
        point, why = read_model(path, RecoveryPoint), read_model(path.with_name(_WHY), Dropping)
        if point is not None and why is not None:
            found.append((point, why))
    return found


def forget_bytes(catalog: Catalog, target: Target, freed: Freed) -> None:
    """Delete what only dropped points need.

    :raises IntegrityError: see :func:`manifests_that_stay`; nothing was deleted.
    """
    stay = manifests_that_stay(catalog, [])
    target.forget(freed.counted(target.leftovers(stay, manifests_that_go(catalog))))


def manifests_that_go(catalog: Catalog) -> list[Path]:
    """Return where the manifests of dropped points are, or were."""
    return [Workspace(path.parent).manifest for path in _old_records(catalog)]


def sweep(catalog: Catalog, target: Target) -> None:
    """Remove what is left of dropped points; the old record last, and only when no file is left that it brought."""
    try:
        for path in _old_records(catalog):
            _sweep(path, target)
    except OSError as error:
        raise target_fault(error, str(catalog.root)) from None


def _old_records(catalog: Catalog) -> list[Path]:
    return sorted(catalog.root.glob(f"points/*/{DROPPED}"))


def _sweep(old_record: Path, target: Target) -> None:
    folder, staged = old_record.parent, Workspace(old_record.parent).files
    for part in folder.iterdir():
        if part not in {old_record, staged}:
            _remove(part)
    sync_folder(folder)
    target.drop_records(folder.name)
    point = read_model(old_record, RecoveryPoint)
    if point is None or target.holds_staged(point):
        return
    remove_tree(os.fsencode(staged))
    old_record.unlink()
    folder.rmdir()
    sync_folder(folder.parent)


def _remove(part: Path) -> None:
    if part.is_dir() and not part.is_symlink():
        remove_tree(os.fsencode(part))
    else:
        part.unlink()
