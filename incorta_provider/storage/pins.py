"""Recovery points that a person, or the change breaker, wants kept: one small file a pin, in the catalog.

:raises PreconditionError: there is no such point, or the catalog is not there.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict

from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.durable import sync_folder
from incorta_provider.storage.json_file import read_model, write_json


class Pin(BaseModel):
    """One pinned point."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    point: str
    reason: str
    by: str
    at: AwareDatetime


class Pins:
    """The pins of one catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._root = catalog.root / "pins"

    def pin(self, point_id: str, *, reason: str, by: str, at: datetime) -> Pin:
        """Pin a point and return the pin; a pin that it has already stays as it is."""
        point = self._catalog.get(point_id)
        if (known := self.of(point.id)) is not None:
            return known
        pin = Pin(point=point.id, reason=reason, by=by, at=at)
        self._root.mkdir(mode=0o700, exist_ok=True)
        write_json(self._path(point.id), pin.model_dump(mode="json"))
        return pin

    def unpin(self, point_id: str) -> Pin | None:
        """Remove a pin and return it; None when there was none."""
        if (known := self.of(point_id)) is not None:
            self._path(point_id).unlink(missing_ok=True)
            sync_folder(self._root)
        return known

    def of(self, point_id: str) -> Pin | None:
        """Return the pin of a point."""
        return read_model(self._path(point_id), Pin)

    def all(self) -> list[Pin]:
        """Return every pin, in the order of the points."""
        found = (read_model(path, Pin) for path in sorted(self._root.glob("*.json")))
        return [pin for pin in found if pin is not None]

    def _path(self, point_id: str) -> Path:
        return self._root / f"{self._catalog.point_dir(point_id).name}.json"
