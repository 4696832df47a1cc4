"""Which way bytes take from one kind of storage to another.

A way of its own is one line in ``_ROUTES``; every other pair takes the target's own copier, which needs nothing of the
source but its ``fetch``. The target of a bucket looks by itself whether its source is one too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.local.target import LocalTarget
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.s3.foldered import FolderedTree
from incorta_provider.storage.s3.target import S3Target
from incorta_provider.storage.ssh.routes import folder_to_node, node_to_folder, node_to_node
from incorta_provider.storage.ssh.target import SshTarget
from incorta_provider.storage.ssh.tree import SshTree
from incorta_provider.storage.target import Copier, Target
from incorta_provider.storage.tree import Tree

_ROUTES: Mapping[tuple[type, type], Callable[..., Copier]] = {
    (SshTree, LocalTarget): node_to_folder,
    (LocalTree, SshTarget): folder_to_node,
    (SshTree, SshTarget): node_to_node,
}
"""By the classes of source and target: what makes the copier, called as ``copier_for`` is."""


def suited(source: Tree, target: Target) -> Tree:
    """Return the source as the target can keep it: a bucket shows its bare keys to another, and folders to all else."""
    return source.keys if isinstance(source, FolderedTree) and isinstance(target, S3Target) else source


def copier_for(source: Tree, target: Target, workspace: Workspace, *, alone: bool = True) -> Copier:
    """Return what copies from ``source`` into the staging of a run.

    :param alone: no other process copies into this workspace, as shards do; a node then ends what is left of one.
    """
    if (route := _ROUTES.get((type(source), type(target)))) is not None:
        return route(source, target, workspace, alone=alone)
    if isinstance(target, SshTarget):
        return target.copier(source, workspace, alone=alone)
    return target.copier(source, workspace)
