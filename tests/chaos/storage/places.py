"""Pairs of a source and a target, by what can be told to another process: here, at nodes, or in a bucket."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incorta_provider.connection import ConnectionInfo
from incorta_provider.storage.ssh.target import SshTarget
from incorta_provider.storage.ssh.tree import SshTree
from incorta_provider.storage.ssh.volume import RemoteVolume
from lab.layout import Lab
from lab.servers.ceph import CephS3
from tests.builders.s3 import TestBucket
from tests.builders.storage import Pair

Place = Mapping[str, Any]
"""``kind`` is ``file``, ``ssh`` or ``s3``; what else is needed to reach it."""

HERE: Place = {"kind": "file"}


@dataclass(frozen=True)
class NodePair(Pair):
    """Both ends at nodes, which are this machine; the records are here."""

    infos: tuple[ConnectionInfo, ConnectionInfo]

    @property
    def tree(self) -> Any:
        return SshTree(self.infos[0], os.fsencode(self.source))

    @property
    def target(self) -> Any:
        vault = os.fsencode(self.live) + b".incorta-dr"
        return SshTarget(self.catalog, RemoteVolume(self.infos[1], os.fsencode(self.live), vault))


@dataclass(frozen=True)
class BucketPair(Pair):
    """From a folder here into a bucket; the records are here."""

    bucket: TestBucket

    @property
    def target(self) -> Any:
        return self.bucket.target(self.catalog)


def open_pair(root: Path, place: Place) -> Pair:
    """Return a pair whose records, and whose files where they are files, are below a folder."""
    if place["kind"] == "ssh":
        source, target = (ConnectionInfo(**fields) for fields in place["connections"])
        return NodePair(root, (source, target))
    if place["kind"] == "s3":
        server = CephS3(Lab(Path(place["lab"]), place["base"]))
        return BucketPair(root, TestBucket(server, place["bucket"], b"root/"))
    return Pair(root)


def make(root: Path, place: Place) -> Pair:
    """Make what a person makes who begins with a group."""
    pair = open_pair(root, place)
    pair.source.mkdir(parents=True)
    pair.catalog.initialise("acme", "newyork")
    if place["kind"] != "file":
        pair.target.initialise()
    return pair
