"""Small records about recovery points: one file for each point, in a folder of the catalog beside the points.

:raises IntegrityError: a record cannot be read.
:raises PreconditionError: the catalog is not there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Generic

from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.durable import sync_folder
from incorta_provider.storage.records.json_file import Record, read_model, write_json


class PointFiles(Generic[Record]):
    """The records of one kind."""

    def __init__(self, catalog: Catalog, folder: str, model: type[Record]) -> None:
        self._catalog = catalog
        self._root = catalog.root / folder
        self._model = model

    def save(self, point_id: str, record: Record) -> None:
        """Keep a point's record, in place of an older one."""
        self._catalog.ensure_there()
        self._root.mkdir(mode=0o700, exist_ok=True)
        write_json(self._path(point_id), record.model_dump(mode="json"))

    def of(self, point_id: str) -> Record | None:
        """Return the record of a point; None when there is none."""
        return read_model(self._path(point_id), self._model)

    def remove(self, point_id: str) -> None:
        """Remove the record of a point, if there is one."""
        self._path(point_id).unlink(missing_ok=True)
        sync_folder(self._root)

    def known(self) -> list[str]:
        """Return the points that have a record, in their order."""
        return sorted(path.stem for path in self._root.glob("*.json"))

    def _path(self, point_id: str) -> Path:
        return self._root / f"{self._catalog.point_dir(point_id).name}.json"
