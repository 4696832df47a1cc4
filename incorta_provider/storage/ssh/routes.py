"""The ways of files from and to nodes, by the kinds of the two ends; see :mod:`incorta_provider.storage.routes`.

Each takes ``alone``: whether no other process copies into this workspace, so that what is left of one must be ended.
"""

from __future__ import annotations

import os

from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.local.target import LocalTarget
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.ssh.batches import BatchCopier
from incorta_provider.storage.ssh.carriers import PullHere, PullThere, PushThere
from incorta_provider.storage.ssh.local_source import LocalSource
from incorta_provider.storage.ssh.target import SshTarget
from incorta_provider.storage.ssh.tree import SshTree
from incorta_provider.storage.target import Copier


def node_to_folder(source: SshTree, target: LocalTarget, workspace: Workspace, *, alone: bool = True) -> Copier:
    """Pull from a node into the workspace."""
    carrier = PullHere(source, workspace)
    return BatchCopier(source, carrier, source.node.streams, carrier)


def folder_to_node(source: LocalTree, target: SshTarget, workspace: Workspace, *, alone: bool = True) -> Copier:
    """Push from a mounted folder to a node."""
    root = os.fsencode(source.root)
    carrier = PushThere(root, target.volume, target.area(workspace), alone=alone)
    return BatchCopier(LocalSource(root), carrier, target.volume.node.streams, carrier)


def node_to_node(source: SshTree, target: SshTarget, workspace: Workspace, *, alone: bool = True) -> Copier:
    """Let the target's node pull from the source's."""
    carrier = PullThere(source, target.volume, target.area(workspace), alone=alone)
    return BatchCopier(source, carrier, target.volume.node.streams)
