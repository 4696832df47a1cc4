"""Buckets of the lab's S3 server for tests: made, filled and looked into with the SDK, which is not ours."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.s3.access import Access, Keys
from incorta_provider.storage.s3.bucket import Bucket
from incorta_provider.storage.s3.foldered import FolderedTree
from incorta_provider.storage.s3.lock import ObjectLock
from incorta_provider.storage.s3.place import Place
from incorta_provider.storage.s3.target import S3Target
from lab.servers.ceph import REGION, CephS3

_numbers = itertools.count(1)


@dataclass(frozen=True)
class TestBucket:
    """One bucket.

    :ivar prefix: where the test works in it.
    """

    __test__ = False

    server: CephS3
    name: str
    prefix: bytes = b""
    user: str = "lab"

    @property
    def sdk(self) -> Any:
        """The SDK's client."""
        keys = self.server.user(self.user)
        return _client(self.server.endpoint, keys.access, keys.secret)

    def bucket(self, *, endpoint: str = "", patience: float = 60.0) -> Bucket:
        """Return our view of it.

        :param endpoint: of a relay before the server.
        """
        keys = self.server.user(self.user)
        info = keys.connection("aws_test", endpoint or self.server.endpoint)
        place = Place(info.conn_id, self.name, self.prefix)
        base = f"{endpoint or self.server.endpoint}/{self.name}"
        return Bucket(place, Access(info, base, REGION, Keys(keys.access, keys.secret)), patience=patience)

    def tree(self, *exclude: str) -> FolderedTree:
        """Return it as a source."""
        return FolderedTree(self.bucket(), exclude)

    def target(self, catalog: Catalog, lock: ObjectLock | None = None) -> S3Target:
        """Return it as a target."""
        return S3Target(self.bucket(), catalog, lock)

    def put(self, objects: Mapping[str, bytes], **settings: Any) -> None:
        """Write objects below the prefix."""
        sdk = self.sdk
        for key, content in objects.items():
            sdk.put_object(Bucket=self.name, Key=self.prefix.decode() + key, Body=content, **settings)

    def remove(self, *keys: str) -> None:
        """Delete objects below the prefix."""
        for key in keys:
            self.sdk.delete_object(Bucket=self.name, Key=self.prefix.decode() + key)

    def content(self) -> dict[bytes, bytes]:
        """Return every live key below the prefix with its content."""
        sdk = self.sdk
        pages = sdk.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=self.prefix.decode())
        keys = [one["Key"] for page in pages for one in page.get("Contents", ())]
        return {
            key.encode()[len(self.prefix) :]: sdk.get_object(Bucket=self.name, Key=key)["Body"].read() for key in keys
        }

    def head(self, key: str) -> dict[str, Any]:
        """Return what the server says of one object."""
        return dict(self.sdk.head_object(Bucket=self.name, Key=self.prefix.decode() + key))


@cache
def _client(endpoint: str, access: str, secret: str) -> Any:
    """Return the SDK's client of a user; to make one takes half a second of a processor."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        config=Config(request_checksum_calculation="when_required", response_checksum_validation="when_required"),
    )


def make_bucket(server: CephS3, *, versioned: bool = True, user: str = "lab", lock: bool = False) -> TestBucket:
    """Make a new bucket."""
    made = TestBucket(server, f"test-{next(_numbers)}-{user}", b"root/", user)
    made.sdk.create_bucket(Bucket=made.name, **({"ObjectLockEnabledForBucket": True} if lock else {}))
    if versioned:
        made.sdk.put_bucket_versioning(Bucket=made.name, VersioningConfiguration={"Status": "Enabled"})
    return made
