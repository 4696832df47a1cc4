"""The target that is mounted here: its vault is the catalog itself, so sealing and applying are renames."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.copying.staging import Fetch, Staging
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.local.beneath import Beneath
from incorta_provider.storage.local.copy import copy_from
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.local.volume import LocalVolume
from incorta_provider.storage.target import Copier
from incorta_provider.storage.tree import Tree
from incorta_provider.storage.vault.areas import CatalogAreas
from incorta_provider.storage.volume_target import VolumeTarget


class LocalTarget(VolumeTarget):
    """The replica at ``root``, beside its catalog."""

    def __init__(self, root: Path, catalog: Catalog) -> None:
        super().__init__(catalog, LocalVolume(root, catalog.root), CatalogAreas())

    def copier(self, source: Tree, workspace: Workspace) -> Copier:
        """Return what copies from any source: each file is fetched to its own place in the workspace.

        From a folder that is mounted here, each copy comes with its proof.
        """
        if isinstance(source, LocalTree) and type(source).fetch is LocalTree.fetch:
            return _FromFolder(source, workspace)
        return Staging(source.fetch, workspace)

    def discard(self, workspace: Workspace) -> None:
        """Leave it to the catalog: what was staged lies in the workspace, and goes with it by one rename."""


class _FromFolder(Staging):
    """Copies files of a folder that is mounted here; the folder that a batch is in stays open meanwhile."""

    def __init__(self, source: LocalTree, workspace: Workspace) -> None:
        super().__init__(source.fetch, workspace)
        self._root = os.fsencode(source.root)

    @contextmanager
    def fetching(self) -> Iterator[Fetch]:
        """Lend what copies files, each with its proof."""
        with Beneath(self._root) as below:
            yield partial(copy_from, below)
