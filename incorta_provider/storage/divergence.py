"""Divergence bundles: what a site wrote after the last state that it shares with the site that took its place.

Nothing of it is ever deleted here: it may be the only copy of somebody's work. One folder a bundle, in the catalog:

    divergence/<id>/
      bundle.json          what it is
      files.parquet        the files and links that were moved out of the shared storage, with digests; a manifest
      deleted.parquet      what the common point names and the site had no more; a manifest
      files/               these files under their own paths; with ``ssh://`` in the vault, under the same name
      metadata.sql.zst     the site's metadata as they were, and inventory.json
      differences.txt      in which objects and rows they differ from the common point
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import count
from pathlib import Path

from pydantic import AwareDatetime

from incorta_provider.dr.frozen import FrozenModel
from incorta_provider.exceptions import PreconditionError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.records.json_file import read_model, write_json

FOLDER = "divergence"
"""The folder, in the catalog and in a vault."""

DIFFERENCES = "differences.txt"
"""In a bundle's folder: one line a difference of the metadata."""

_ID = re.compile(r"[a-z0-9][a-z0-9._-]*")


class KeptMetadata(FrozenModel):
    """A site's metadata as they were.

    :ivar differing: in how many places each object differs from the common point.
    :ivar not_compared: why they were not compared; empty when they were.
    """

    tables: int
    rows: int
    sha256: str
    differing: Mapping[str, int]
    not_compared: str = ""


class Bundle(FrozenModel):
    """What one site wrote apart.

    :ivar epoch: under which the site was replicated to again.
    :ivar active: the site that took its place.
    :ivar point: the common recovery point, which ``point_of`` has in its catalog.
    :ivar files_stay: the storage keeps every version, so the files were not moved and not counted.
    :ivar metadata: None when the site's schema held no table.
    """

    id: str
    group: str
    site: str
    active: str
    epoch: int
    point: str
    point_of: str
    run_id: str
    kept_at: AwareDatetime
    added: int
    changed: int
    deleted: int
    bytes: int
    files_stay: bool = False
    metadata: KeptMetadata | None = None

    @property
    def is_empty(self) -> bool:
        """Whether the site wrote nothing of its own, as far as it was compared."""
        apart = self.metadata is not None and (self.metadata.differing or self.metadata.not_compared)
        return not (self.added or self.changed or self.deleted or apart)


class Bundles:
    """The bundles of one catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._root = catalog.root / FOLDER

    def folder(self, bundle_id: str) -> Path:
        """Return the folder of a bundle.

        :raises PreconditionError: the text cannot be an id; it never leads out of the catalog.
        """
        if not _ID.fullmatch(bundle_id):
            raise self._unknown(bundle_id)
        return self._root / bundle_id

    def make(self, bundle_id: str) -> Path:
        """Make the folder of a bundle and return it; one that is there is fine."""
        self._catalog.ensure_there()
        folder = self.folder(bundle_id)
        for each in (self._root, folder):
            each.mkdir(mode=0o700, exist_ok=True)
        return folder

    def new_id(self, label: str) -> str:
        """Return an id that no bundle has."""
        names = (f"{label}.{number}" if number else label for number in count())
        return next(name for name in names if not self.folder(name).exists())

    def save(self, bundle: Bundle) -> None:
        """Write down what a bundle is; from then on it counts."""
        write_json(self._record(bundle.id), bundle.model_dump(mode="json"))

    def all(self) -> list[Bundle]:
        """Return the bundles that are complete, the oldest first."""
        self._catalog.ensure_there()
        found = (read_model(path, Bundle) for path in self._root.glob("*/bundle.json"))
        return sorted((bundle for bundle in found if bundle is not None), key=lambda each: (each.kept_at, each.id))

    def unfinished(self) -> list[str]:
        """Return the bundles whose making was cut off; the next run to the site goes on with it."""
        return sorted(folder.name for folder in self._root.glob("*") if not (folder / "bundle.json").exists())

    def get(self, bundle_id: str) -> Bundle:
        """Return one bundle.

        :raises PreconditionError: there is no such bundle.
        """
        self._catalog.ensure_there()
        if (found := read_model(self._record(bundle_id), Bundle)) is None:
            raise self._unknown(bundle_id)
        return found

    def _record(self, bundle_id: str) -> Path:
        return self.folder(bundle_id) / "bundle.json"

    def _unknown(self, bundle_id: str) -> PreconditionError:
        return PreconditionError(
            f"there is no divergence bundle {bundle_id!r}",
            where=str(self._catalog.root),
            fix="`incorta-dr divergence list` shows which there are.",
        )
