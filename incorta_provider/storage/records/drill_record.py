"""What the catalog knows of drills: which one is in the site's place for them, and which points one proved.

:raises IntegrityError: a record cannot be read.
:raises PreconditionError: the catalog is not there.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import AwareDatetime

from incorta_provider.dr.frozen import FrozenModel
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.durable import sync_folder
from incorta_provider.storage.records.json_file import read_model, write_json
from incorta_provider.storage.records.point_files import PointFiles


class Occupied(FrozenModel):
    """A drill that took the place, and has not given it back.

    :ivar storage: the folder that it fills, from then on its to remove.
    :ivar schema_name: the schema that it makes, likewise.
    """

    run_id: str
    storage: Path
    schema_name: str
    at: AwareDatetime


class DrillPlace:
    """Who is in the place for drills of one site."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._path = catalog.root / "drill.json"

    def taken(self) -> Occupied | None:
        """Return the drill that is there; None when the place is free."""
        return read_model(self._path, Occupied)

    def take(self, record: Occupied) -> None:
        """Write down that a drill is there, before it makes anything."""
        self._catalog.ensure_there()
        write_json(self._path, record.model_dump(mode="json"))

    def give_back(self) -> None:
        """Write down that nothing of a drill is left."""
        self._path.unlink(missing_ok=True)
        sync_folder(self._path.parent)


class Proof(FrozenModel):
    """A drill that started a recovery point and asked it.

    :ivar rto_seconds: from files in place to the verified service.
    """

    point: str
    run_id: str
    at: AwareDatetime
    rto_seconds: float


class Proofs:
    """The points of one catalog that a drill proved: a small file for each, beside the points."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._files = PointFiles(catalog, "proven", Proof)

    def save(self, proof: Proof) -> None:
        """Keep a proof, in place of an older one, and forget those of points that are gone."""
        points = {point.id for point in self._catalog.points()}
        self._files.save(proof.point, proof)
        for point_id in set(self._files.known()) - points:
            self._files.remove(point_id)

    def of(self, point_id: str) -> Proof | None:
        """Return the newest proof of a point; None when no drill proved it."""
        return self._files.of(point_id)
