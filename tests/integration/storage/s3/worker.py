"""A process that is killed in the middle: rolls a source's new state into a bucket, back, and forward again.

Arguments: folder, endpoint (of a relay), bucket, access key, and the source: :data:`FOLDER`, or a bucket and how it is
copied. The secret key comes by standard input.
"""

from __future__ import annotations

import sys
from pathlib import Path

from incorta_provider.connection import ConnectionInfo
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.s3 import copiers, objects
from incorta_provider.storage.s3.access import Access, Keys
from incorta_provider.storage.s3.bucket import Bucket
from incorta_provider.storage.s3.place import Place
from incorta_provider.storage.s3.target import S3Target
from incorta_provider.storage.s3.tree import S3Tree
from lab.servers.ceph import REGION
from tests.integration.storage.s3.replication import Replication

FOLDER = "folder"


def replication(root: Path, endpoint: str, name: str, keys: Keys, source: str = FOLDER) -> Replication:
    """Return a folder here, or ``bucket:way``, and the bucket that it is copied to.

    The ways of small objects: through here (``read``), on the server (``copied``), and there in parts (``parts``).
    """
    target = _bucket(endpoint, name, keys)
    if source == FOLDER:
        return Replication(root, LocalTree(root / "source"), lambda catalog: S3Target(target, catalog), None)
    source_name, _, way = source.partition(":")
    copiers.SMALL_BYTES = objects.COPY_BYTES = 0
    if way == "read":
        copiers.SMALL_BYTES = 1024
    elif way == "copied":
        objects.COPY_BYTES = 1024
    tree = S3Tree(_bucket(endpoint, source_name, keys))
    return Replication(root, tree, lambda catalog: S3Target(target, catalog), None)


def _bucket(endpoint: str, name: str, keys: Keys) -> Bucket:
    access = Access(ConnectionInfo("aws_test"), f"{endpoint}/{name}", REGION, keys)
    return Bucket(Place("aws_test", name, b"root/"), access)


def forward_and_back(run: Replication) -> None:
    """Make point B, apply it, go back to A, and to B again."""
    if all(point.id != "B" for point in run.catalog.points()):
        run.seal("B")
    for point in ("B", "A", "B"):
        run.target.apply(point)


if __name__ == "__main__":
    folder, relay, bucket_name, access_key, from_where = sys.argv[1:]
    secret_key = sys.stdin.readline().strip()
    forward_and_back(replication(Path(folder), relay, bucket_name, Keys(access_key, secret_key), from_where))
