"""The target that is mounted here: its vault is the catalog itself, so sealing and applying are renames."""

from __future__ import annotations

from pathlib import Path

from incorta_provider.storage.areas import CatalogAreas
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.local_volume import LocalVolume
from incorta_provider.storage.staging import Staging
from incorta_provider.storage.target import Copier
from incorta_provider.storage.tree import Tree
from incorta_provider.storage.volume_target import VolumeTarget
from incorta_provider.storage.workspace import Workspace


class LocalTarget(VolumeTarget):
    """The replica at ``root``, beside its catalog."""

    def __init__(self, root: Path, catalog: Catalog) -> None:
        super().__init__(catalog, LocalVolume(root, catalog.root), CatalogAreas())

    def copier(self, source: Tree, workspace: Workspace) -> Copier:
        """Return what copies from any source: each file is fetched to its own place in the workspace."""
        return Staging(source, workspace)

    def discard(self, workspace: Workspace) -> None:
        """Leave it to the catalog: what was staged lies in the workspace, and goes with it by one rename."""
