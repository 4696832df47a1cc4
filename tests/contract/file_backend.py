"""``file://``: mounted here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.target import Target
from incorta_provider.storage.tree import Tree as SourceTree
from incorta_provider.storage.url import open_target, open_tree
from tests.contract.backends import Folder, change_first_byte
from tests.contract.found import Tree, read_folder


def no_connections(conn_id: str) -> ConnectionInfo:
    raise ConfigurationError(f"no connection {conn_id!r}", where="the contract", fix="None is needed for file://.")


class FileSource(Folder):
    """A mounted folder as the source."""

    kind = "file"

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        root.mkdir(parents=True)

    def tree(self, exclude: Sequence[str] = ()) -> SourceTree:
        """Return the provider's view of it."""
        return open_tree(self.root.as_uri(), no_connections, exclude)


class FileSite(Folder):
    """A mounted folder as the target, beside its catalog."""

    kind = "file"

    def __init__(self, home: Path) -> None:
        super().__init__(home / "live")
        self.records = home / "catalog"

    def prepare(self, catalog: Catalog) -> None:
        """Do nothing: the first apply makes the replica."""

    def target(self, catalog: Catalog) -> Target:
        """Return the provider's view of it."""
        return open_target(self.root.as_uri(), catalog, no_connections)

    def staged(self, catalog: Catalog, workspace: Workspace) -> Tree:
        """Return what a run has staged: it lies in the workspace."""
        return read_folder(workspace.files) if workspace.files.exists() else {}

    def damage_staged(self, catalog: Catalog, workspace: Workspace, path: bytes) -> None:
        """Change a staged file behind its facts."""
        change_first_byte(Folder(workspace.files).at(path))

    def damage_sealed(self, catalog: Catalog, point_id: str, path: bytes) -> None:
        """Change a file in the point's folder, and its time."""
        place = Folder(Workspace(catalog.point_dir(point_id)).files).at(path)
        change_first_byte(place)
        os.utime(place, ns=(1, 1))
