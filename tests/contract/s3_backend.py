"""``s3://``: buckets of the lab's real S3 server, filled and looked into with the SDK."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

from incorta_provider.connection import ConnectionInfo
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.s3.staging_log import log_of
from incorta_provider.storage.target import Target
from incorta_provider.storage.tree import Tree as SourceTree
from incorta_provider.storage.url import open_target, open_tree
from tests.builders.s3 import TestBucket
from tests.contract.found import Found

CONN_ID = "aws_lab"


class Bucket:
    """One bucket with its SDK client."""

    kind = "s3"
    is_posix = False
    tells_modes_and_links = False
    time_unit_ns = 1

    def __init__(self, bucket: TestBucket) -> None:
        self._bucket = bucket
        self._prefix = bucket.prefix.decode()

    @cached_property
    def sdk(self) -> Any:
        """The SDK's client."""
        return self._bucket.sdk

    @property
    def url(self) -> str:
        """What stands in a topology."""
        return f"s3://{CONN_ID}@{self._bucket.name}/{quote_from_bytes(self._bucket.prefix)}"

    def find(self, conn_id: str) -> ConnectionInfo:
        """Find the connection that the URL names."""
        return self._bucket.server.connection(conn_id, self._bucket.user)

    def put(self, path: bytes, content: bytes, *, mode: int = 0o644, mtime_ns: int | None = None) -> None:
        """Write an object; it has no permission bits, and the server sets its time."""
        self.sdk.put_object(Bucket=self._bucket.name, Key=self._key(path), Body=content)

    def remove(self, path: bytes) -> None:
        """Delete an object, and what is below it as below a folder."""
        keys = [path, *(key for key in self._keys() if key.startswith(path + b"/"))]
        if len(keys) == 1:  # a request that deletes many cannot hold every key
            self.sdk.delete_object(Bucket=self._bucket.name, Key=self._key(path))
            return
        for first in range(0, len(keys), 1000):
            objects = [{"Key": self._key(key)} for key in keys[first : first + 1000]]
            self.sdk.delete_objects(Bucket=self._bucket.name, Delete={"Objects": objects, "Quiet": True})

    def read(self) -> dict[bytes, Found]:
        """Return every live key."""
        return {key: Found("file", self._content(key)) for key in self._keys()}

    def names(self) -> set[bytes]:
        """Return every live key."""
        return set(self._keys())

    def damage(self, path: bytes) -> None:
        """Put another byte at the beginning; a bucket shows that by a version, but not by the size."""
        content = self._content(path)
        self.put(path, bytes([content[0] ^ 0xFF]) + content[1:])

    def _keys(self) -> list[bytes]:
        pages = self.sdk.get_paginator("list_objects_v2").paginate(Bucket=self._bucket.name, Prefix=self._prefix)
        return [one["Key"].encode()[len(self._prefix) :] for page in pages for one in page.get("Contents", ())]

    def _content(self, path: bytes) -> bytes:
        found: bytes = self.sdk.get_object(Bucket=self._bucket.name, Key=self._key(path))["Body"].read()
        return found

    def _key(self, path: bytes) -> str:
        return self._prefix + path.decode()


class S3Source(Bucket):
    """A bucket as the source."""

    def tree(self, exclude: Sequence[str] = ()) -> SourceTree:
        """Return the provider's view of it."""
        return open_tree(self.url, self.find, exclude)


class S3Site(Bucket):
    """A versioned bucket as the target; the records are here."""

    def __init__(self, home: Path, bucket: TestBucket) -> None:
        super().__init__(bucket)
        self.records = home / "records"

    def prepare(self, catalog: Catalog) -> None:
        """Look at the bucket, as `incorta-dr epoch init` does."""
        self.target(catalog).initialise()

    def target(self, catalog: Catalog) -> Target:
        """Return the provider's view of it."""
        return open_target(self.url, catalog, self.find)

    def staged(self, catalog: Catalog, workspace: Workspace) -> dict[bytes, Found]:
        """Return what a run has staged: the versions that it made."""
        made = log_of(catalog, workspace).versions()
        return {path: Found("file") for path, version in made if (path, version) in self._versions()}

    def damage_staged(self, catalog: Catalog, workspace: Workspace, path: bytes) -> None:
        """Delete a staged version, which is all that can happen to one."""
        version = dict(log_of(catalog, workspace).versions())[path].decode()
        self.sdk.delete_object(Bucket=self._bucket.name, Key=self._key(path), VersionId=version)

    def damage_sealed(self, catalog: Catalog, point_id: str, path: bytes) -> None:
        """Delete every version of a key."""
        for found, version in self._versions():
            if found == path:
                self.sdk.delete_object(Bucket=self._bucket.name, Key=self._key(path), VersionId=version.decode())

    def _versions(self) -> set[tuple[bytes, bytes]]:
        pages = self.sdk.get_paginator("list_object_versions").paginate(Bucket=self._bucket.name, Prefix=self._prefix)
        found = (one for page in pages for one in page.get("Versions", ()))
        return {(one["Key"].encode()[len(self._prefix) :], one["VersionId"].encode()) for one in found}
