"""Protect a version that the server copied: not every server takes the protection from the copy's own headers.

Ceph 16.2 accepts them and leaves the copy unprotected; what is uploaded it protects.

:raises DrError: see :mod:`incorta_provider.storage.s3.faults`.
"""

from __future__ import annotations

from incorta_provider.storage.s3.answers import ensure_written
from incorta_provider.storage.s3.body_md5 import guard, md5_of
from incorta_provider.storage.s3.bucket import Bucket, Request
from incorta_provider.storage.s3.lock import ObjectLock


def protect(bucket: Bucket, key: bytes, version: bytes, lock: ObjectLock) -> None:
    """Protect one version from deletion, from now on."""
    until = lock.until()
    body = f"<Retention><Mode>{lock.mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>".encode()
    query: dict[str, str | bytes] = {"retention": "", "versionId": version}
    answer = bucket.send(Request("PUT", key, query, guard(md5_of(body)), body, action="s3:PutObjectRetention"))
    ensure_written(bucket, key, answer)
