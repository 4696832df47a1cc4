"""A process that is killed in the middle: rolls a folder's new state into a bucket, back, and forward again.

Arguments: folder, endpoint (of a relay), bucket, access key; the secret key comes by standard input.
"""

from __future__ import annotations

import sys
from pathlib import Path

from incorta_provider.connection import ConnectionInfo
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.s3.access import Access, Keys
from incorta_provider.storage.s3.bucket import Bucket
from incorta_provider.storage.s3.place import Place
from incorta_provider.storage.s3.target import S3Target
from lab.servers.ceph import REGION
from tests.integration.storage.s3.replication import Replication


def replication(root: Path, endpoint: str, name: str, keys: Keys) -> Replication:
    """Return the pair below a folder."""
    access = Access(ConnectionInfo("aws_test"), f"{endpoint}/{name}", REGION, keys)
    bucket = Bucket(Place("aws_test", name, b"root/"), access)
    return Replication(root, LocalTree(root / "source"), lambda catalog: S3Target(bucket, catalog), None)


def forward_and_back(run: Replication) -> None:
    """Make point B, apply it, go back to A, and to B again."""
    if all(point.id != "B" for point in run.catalog.points()):
        run.seal("B")
    for point in ("B", "A", "B"):
        run.target.apply(point)


if __name__ == "__main__":
    folder, relay, bucket_name, access_key = sys.argv[1:]
    forward_and_back(replication(Path(folder), relay, bucket_name, Keys(access_key, sys.stdin.readline().strip())))
