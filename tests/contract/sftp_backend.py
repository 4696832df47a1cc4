"""``sftp://``, as the example of what fsspec reaches: at a node, through the lab's real sshd; a source only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from incorta_provider.connection import ConnectionInfo
from incorta_provider.storage.tree import Tree as SourceTree
from incorta_provider.storage.url import open_tree
from tests.contract.backends import Folder
from tests.contract.ssh_backend import PRIMARY_NODE


class SftpSource(Folder):
    """A folder at the primary's node; SFTP tells times in whole seconds, and links are not carried."""

    kind = "sftp"
    time_unit_ns = 10**9
    tells_modes_and_links = False

    def __init__(self, root: Path, find: Callable[[str], ConnectionInfo]) -> None:
        super().__init__(root)
        root.mkdir(parents=True)
        self._find = find

    def tree(self, exclude: Sequence[str] = ()) -> SourceTree:
        """Return the provider's view of it."""
        return open_tree(f"sftp://{PRIMARY_NODE}{self.root}", self._find, exclude)
