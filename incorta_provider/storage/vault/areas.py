"""Which area of the vault belongs to what."""

from __future__ import annotations

import os
from typing import Protocol

from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.storage.copying.workspace import Workspace

HISTORY = "history"
"""The folder of the vault with what applies moved out, one folder an apply."""


class Areas(Protocol):
    """The names of staging areas, each relative to the vault.

    :ivar staged: matches the areas of all sealed points, see :meth:`incorta_provider.storage.volume.Volume.areas`.
    """

    staged: str

    def of_run(self, workspace: Workspace) -> bytes:
        """Return the area of a run before its seal."""

    def of_point(self, point: RecoveryPoint) -> bytes:
        """Return the same area after the seal."""


class CatalogAreas:
    """The vault is the catalog itself, so the rename that seals moves the area too."""

    staged = "points/*/files"

    def of_run(self, workspace: Workspace) -> bytes:
        """Return the area of a run before its seal."""
        return os.fsencode(workspace.files.relative_to(workspace.root.parent.parent))

    def of_point(self, point: RecoveryPoint) -> bytes:
        """Return the same area after the seal."""
        return b"points/%s/files" % os.fsencode(point.id)
