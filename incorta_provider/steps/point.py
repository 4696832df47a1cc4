"""Read what a sealed recovery point holds, after proving that it is what was sealed.

:raises IntegrityError: a file of the point is not the one that was sealed.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

from incorta_provider.dr.inventory import Inventory
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.flow.throttle import alive

log = logging.getLogger(__name__)

_CHUNK = 1024 * 1024


def point_inventory(catalog: Catalog, point: RecoveryPoint) -> Inventory:
    """Return the inventory of the point's metadata."""
    path = catalog.inventory_path(point.id)
    ensure_digest(path, point.inventory_sha256)
    return Inventory.model_validate_json(path.read_bytes())


def ensure_point_whole(catalog: Catalog, point: RecoveryPoint) -> None:
    """Check the three files that a promotion of the point rests on."""
    ensure_digest(catalog.manifest_path(point.id), point.manifest_sha256)
    ensure_digest(catalog.dump_path(point.id), point.dump_sha256)
    ensure_digest(catalog.inventory_path(point.id), point.inventory_sha256)


def newest_whole(catalog: Catalog, points: Sequence[RecoveryPoint]) -> str | None:
    """Return the newest point whose manifest, dump and inventory are what was sealed; None when none is whole.

    :param points: oldest first.
    """
    for point in reversed(points):
        try:
            ensure_point_whole(catalog, point)
        except IntegrityError as error:
            log.warning("recovery point %s: %s", point.id, error)
        else:
            return point.id
    return None


def ensure_digest(path: Path, expected: str) -> None:
    """Refuse a file that is absent or whose SHA-256 is not the expected one."""
    try:
        found = file_sha256(path)
    except OSError as error:
        raise _damaged(path, f"cannot be read: {error.strerror}") from None
    if found != expected:
        raise _damaged(path, "is not the file that was sealed")


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    sha = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while data := file.read(_CHUNK):
            sha.update(data)
            alive()
    return sha.hexdigest()


def _damaged(path: Path, what: str) -> IntegrityError:
    return IntegrityError(
        f"a file of the recovery point {what}",
        where=str(path),
        fix="Choose another recovery point; `incorta-dr status`.",
    )
