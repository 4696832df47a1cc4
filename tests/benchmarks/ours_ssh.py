"""Our side of the contest over SSH: one recovery point from a source at a node to a replica here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from incorta_provider.connection import ConnectionInfo
from incorta_provider.storage.ssh.carriers import PullHere
from incorta_provider.storage.ssh.tree import SshTree
from tests.benchmarks.ours_storage import ONE_PASS, replicate_pair
from tests.benchmarks.phases import Split
from tests.builders.storage import Pair

SPLITS: tuple[Split, ...] = (
    (PullHere, "bring", "copy: rsync, all streams, beside each other"),
    (PullHere, "bring_piece", "copy: pieces of long files, all streams, beside each other"),
    (SshTree, "packed", "copy: batches of few bytes, beside each other"),
    (PullHere, "take_in", "copy: digests and renames, beside each other"),
)


@dataclass(frozen=True)
class NodePair(Pair):
    """A pair whose source is reached over SSH."""

    node: ConnectionInfo

    @property
    def tree(self) -> SshTree:  # type: ignore[override]
        return SshTree(self.node, bytes(self.source))


def replicate_from_node(root: Path, number: int, node: ConnectionInfo) -> Mapping[str, float]:
    """Do one run; return the seconds by phase."""
    return replicate_pair(NodePair(root, node), number, ONE_PASS, SPLITS)
