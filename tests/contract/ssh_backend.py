"""``ssh://``: at a node, through the lab's real sshd; it is this machine, so that its files can be seen."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from incorta_provider.connection import ConnectionInfo
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.names import folder_name
from incorta_provider.storage.ssh.target import SshTarget
from incorta_provider.storage.target import Target
from incorta_provider.storage.tree import Tree as SourceTree
from incorta_provider.storage.url import open_target, open_tree
from lab.servers.sshd import Sshd
from tests.contract.backends import Folder, change_first_byte
from tests.contract.found import Tree, read_folder

PRIMARY_NODE, DR_NODE = "berlin_node1", "newyork_node1"


def connection(sshd: Sshd) -> ConnectionInfo:
    """Return the connection to a node; the key that opens it also lets nodes pull from it."""
    extra = {"key_file": str(sshd.key_file), "host_key": sshd.host_key, "pull_key_file": str(sshd.key_file)}
    return ConnectionInfo(sshd.node.conn_id, "incorta_node", sshd.host, sshd.port, sshd.user, extra=extra)


class SshSource(Folder):
    """A folder at the primary's node."""

    kind = "ssh"

    def __init__(self, root: Path, find: Callable[[str], ConnectionInfo]) -> None:
        super().__init__(root)
        root.mkdir(parents=True)
        self._find = find

    def tree(self, exclude: Sequence[str] = ()) -> SourceTree:
        """Return the provider's view of it."""
        return open_tree(f"ssh://{PRIMARY_NODE}{self.root}", self._find, exclude)


class SshSite(Folder):
    """A replica at the DR site's node, with its vault beside it; the records are here."""

    kind = "ssh"

    def __init__(self, home: Path, find: Callable[[str], ConnectionInfo]) -> None:
        super().__init__(home / "live")
        self.records = home.parent / "records"
        self._find = find

    def prepare(self, catalog: Catalog) -> None:
        """Make the vault and mark it as this group's."""
        self._target(catalog).initialise()

    def target(self, catalog: Catalog) -> Target:
        """Return the provider's view of it."""
        return self._target(catalog)

    def staged(self, catalog: Catalog, workspace: Workspace) -> Tree:
        """Return what a run has staged in the vault."""
        area = self._area(catalog, workspace)
        return read_folder(area) if area.exists() else {}

    def damage_staged(self, catalog: Catalog, workspace: Workspace, path: bytes) -> None:
        """Change a staged file behind its facts."""
        change_first_byte(Folder(self._area(catalog, workspace)).at(path))

    def damage_sealed(self, catalog: Catalog, point_id: str, path: bytes) -> None:
        """Change a file in the point's area of the vault, and its time."""
        area = self._target(catalog).area(Workspace(catalog.root / "workspaces" / folder_name(f"run of {point_id}")))
        place = Folder(self._vault / os.fsdecode(area)).at(path)
        change_first_byte(place)
        os.utime(place, ns=(1, 1))

    def _target(self, catalog: Catalog) -> SshTarget:
        target = open_target(f"ssh://{DR_NODE}{self.root}", catalog, self._find)
        assert isinstance(target, SshTarget)
        return target

    def _area(self, catalog: Catalog, workspace: Workspace) -> Path:
        return self._vault / os.fsdecode(self._target(catalog).area(workspace))

    @property
    def _vault(self) -> Path:
        return self.root.with_name(f"{self.root.name}.incorta-dr")
