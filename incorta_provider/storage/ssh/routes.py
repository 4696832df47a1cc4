"""The ways of files from and to nodes, by the kinds of the two ends; see :mod:`incorta_provider.storage.routes`."""

from __future__ import annotations

import os
from collections.abc import Sequence

from incorta_provider.storage.local import LocalTree
from incorta_provider.storage.local_target import LocalTarget
from incorta_provider.storage.ssh.batches import BatchCopier
from incorta_provider.storage.ssh.carriers import PullHere, PullThere, PushThere
from incorta_provider.storage.ssh.facts import Facts, ensure_readable, facts_of
from incorta_provider.storage.ssh.target import SshTarget
from incorta_provider.storage.ssh.tree import SshTree
from incorta_provider.storage.target import Copier
from incorta_provider.storage.workspace import Workspace


class LocalSource:
    """The files below a folder here, as a batch asks for them."""

    def __init__(self, root: bytes) -> None:
        self._root = root

    def facts(self, paths: Sequence[bytes], *, rest: bool) -> list[Facts]:
        """Return what the file system knows of some files."""
        return facts_of(self._root, paths, rest=rest)

    def ensure_readable(self, paths: Sequence[bytes]) -> None:
        """Refuse files that may not be read."""
        ensure_readable(self._root, paths)


def node_to_folder(source: SshTree, target: LocalTarget, workspace: Workspace) -> Copier:
    """Pull from a node into the workspace."""
    return BatchCopier(source, PullHere(source, workspace), source.node.streams)


def folder_to_node(source: LocalTree, target: SshTarget, workspace: Workspace) -> Copier:
    """Push from a mounted folder to a node."""
    root = os.fsencode(source.root)
    carrier = PushThere(root, target.volume, target.area(workspace))
    return BatchCopier(LocalSource(root), carrier, target.volume.node.streams)


def node_to_node(source: SshTree, target: SshTarget, workspace: Workspace) -> Copier:
    """Let the target's node pull from the source's."""
    carrier = PullThere(source, target.volume, target.area(workspace))
    return BatchCopier(source, carrier, target.volume.node.streams)
