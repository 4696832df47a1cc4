"""What the live keys of a bucket are now, asked in the cheapest way for as many as are asked about.

Few keys are asked one by one; many by listing the versions of the whole prefix, of which a thousand cost as much as
some dozens asked one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from incorta_provider.dr.manifest import Entry
from incorta_provider.storage.s3.answers import ensure_object
from incorta_provider.storage.s3.bucket import Bucket, Request
from incorta_provider.storage.s3.facts import recorded_sha256
from incorta_provider.storage.s3.listing import PAGE_KEYS, versions

THREADS = 16
LISTING_PAYS = 60
"""Listing pays when more than one key in this many is asked about: a page of a thousand versions takes the server about
as long as sixteen single questions."""


class Now(NamedTuple):
    """What a live key holds.

    :ivar sha256: the digest that stands beside the content, where it was asked for.
    """

    version: bytes
    size: int
    modified: str = ""
    etag: str = ""
    sha256: bytes | None = None


def look(bucket: Bucket, path: bytes, version: bytes | None = None) -> Now | None:
    """Ask about one key, or one version of it; None when it is not there."""
    query = {"versionId": version} if version else None
    answer = bucket.send(Request("HEAD", bucket.place.key(path), query))
    if answer.code:
        return None
    ensure_object(bucket, bucket.place.key(path), answer)
    headers = answer.headers
    found = headers.get("x-amz-version-id", "").encode()
    return Now(found, int(headers["content-length"]), "", answer.etag, recorded_sha256(headers))


def look_at(bucket: Bucket, paths: Sequence[bytes]) -> list[Now | None]:
    """Ask about keys one by one, many at once."""
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(lambda path: look(bucket, path), paths))


def everything(bucket: Bucket) -> Iterator[tuple[bytes, Now]]:
    """Yield each live key below the prefix with what it holds, in path order."""
    hidden = bucket.place.hidden
    for found in versions(bucket):
        if found.latest and not found.marker and (path := bucket.place.path(found.key)) != hidden:
            yield path, Now(found.version, found.size, found.modified, found.etag)


def version_of(bucket: Bucket, wanted: Entry) -> bytes | None:
    """Return the version that holds a file: the one that is named, or where that was lost another with its digest."""
    if wanted.version is not None and look(bucket, wanted.path, wanted.version) is not None:
        return wanted.version
    key = bucket.place.key(wanted.path)
    for found in versions(bucket, prefix=key):
        if found.key == key and not found.marker and found.size == wanted.size:
            now = look(bucket, wanted.path, found.version)
            if now is not None and now.sha256 == wanted.sha256:
                return found.version
    return None


def exist(bucket: Bucket, wanted: Mapping[bytes, bytes]) -> set[bytes]:
    """Return the paths whose named version is there.

    A listing is begun at the first path; where it shows little of what is asked about, the rest is asked one by one.

    :param wanted: versions by paths.
    """
    paths = sorted(wanted)
    if len(paths) <= THREADS:
        return _exist_singly(bucket, wanted, paths)
    there = _exist_singly(bucket, wanted, paths[:1])
    seen = at = 1
    for number, found in enumerate(versions(bucket, bucket.place.key(paths[0])), 1):
        path = bucket.place.path(found.key)
        while at < len(paths) and paths[at] < path:
            at += 1
        if at == len(paths):
            return there
        if paths[at] == path and wanted[path] == found.version:
            there.add(path)
            seen += 1
        if number % PAGE_KEYS == 0 and seen * LISTING_PAYS < number:
            break
    else:
        return there
    return there | _exist_singly(bucket, wanted, paths[at:])


def _exist_singly(bucket: Bucket, wanted: Mapping[bytes, bytes], paths: Sequence[bytes]) -> set[bytes]:
    with ThreadPoolExecutor(THREADS) as threads:
        found = threads.map(lambda path: look(bucket, path, wanted[path]), paths)
        return {path for path, now in zip(paths, found, strict=True) if now is not None}
