"""A replica's volume together with the catalog that tells what its areas hold."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import count

from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.vault.areas import HISTORY, Areas
from incorta_provider.storage.volume import Volume


@dataclass(frozen=True, slots=True)
class Vault:
    """What an apply works with.

    :param areas: names the staging areas of this kind of target.
    """

    catalog: Catalog
    volume: Volume
    areas: Areas

    def own_area(self, point_id: str) -> bytes:
        """Return the area with what a point brought and no apply took yet."""
        return self.areas.of_point(self.catalog.get(point_id))

    def other_areas(self, own: bytes) -> list[bytes]:
        """Return the other areas where bytes of a point may lie, the newest first."""
        found = [*reversed(self.volume.areas(self.areas.staged)), *reversed(self.volume.areas(f"{HISTORY}/*/*"))]
        return [area for area in found if area != own]

    def new_history(self, label: str) -> str:
        """Return the name of a history folder that no apply before used."""
        used = set(self.volume.areas(f"{HISTORY}/*"))
        names = (f"{label}.{number}" if number else label for number in count())
        return next(name for name in names if os.fsencode(f"{HISTORY}/{name}") not in used)
