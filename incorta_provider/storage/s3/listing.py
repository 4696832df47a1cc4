"""Listings of a bucket, page by page, parsed with as little work a key as Python allows.

Keys come URL-encoded, so that XML can carry them, and in the order of their bytes. A page that says that there is more
and not where, or one key after another that steps back, is an error: a listing that is cut short must never look like
objects that were deleted, and one that tells a key twice not like two.

:raises IntegrityError: a listing that cannot be the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from incorta_provider.dr.manifest import shown
from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.s3.bucket import Bucket, Request
from incorta_provider.storage.s3.markup import unescaped

PAGE_KEYS = 1000


class Listed(NamedTuple):
    """One object of a listing.

    :ivar modified: as the listing has it, see :func:`incorta_provider.storage.s3.facts.modified_ms`.
    """

    key: bytes
    size: int
    modified: str
    etag: str


class Version(NamedTuple):
    """One version of an object, or a mark that it was deleted.

    :ivar latest: it is what a read without a version gives.
    """

    key: bytes
    version: bytes
    latest: bool
    marker: bool
    size: int
    modified: str
    etag: str


def pages(bucket: Bucket, after: bytes = b"", end: bytes | None = None) -> Iterator[list[Listed]]:
    """Yield the objects below the bucket's prefix, about a thousand at a time; the next page is on its way meanwhile.

    A page may have none, where a server has looked at many keys that were deleted.

    :param after: a key; objects up to it are left out.
    :param end: a key; objects from it on are left out. None for none.
    """
    token = b""
    with ThreadPoolExecutor(1) as ahead:
        asked = ahead.submit(_page, bucket, after, None)
        while True:
            body, before = asked.result(), token
            token = _next_token(body, bucket)
            if token:
                asked = ahead.submit(_page, bucket, after, token)
            found = _contents(body)
            if not found and token and token == before:
                raise _cut_short(bucket, "it says that there is more, and never tells it")
            _ensure_onward(found, after, bucket)
            if end is not None and found and found[-1].key >= end:
                yield [one for one in found if one.key < end]
                return
            yield found
            if not token:
                return
            after = found[-1].key if found else after


def prefixes(bucket: Bucket, folder: bytes) -> list[bytes]:
    """Return the folders right below a folder, at most a thousand; each is a key that ends in ``/``."""
    query: dict[str, str | bytes] = {"prefix": folder, "delimiter": "/"}
    body = _listed(bucket, query, b"", None)
    found = [_between(part, b"<Prefix>", b"</Prefix>") for part in body.split(b"<CommonPrefixes>")[1:]]
    return [_key(prefix) for prefix in found]


def versions(bucket: Bucket, after: bytes = b"", prefix: bytes | None = None) -> Iterator[Version]:
    """Yield all versions below the bucket's prefix, those of a key together and the newest first.

    :param after: a key; what is before it is left out, and at some servers its own versions too.
    :param prefix: of keys, in place of the bucket's.
    """
    query: dict[str, str | bytes] = {"versions": "", "encoding-type": "url", "max-keys": str(PAGE_KEYS)}
    if below := bucket.place.prefix if prefix is None else prefix:
        query["prefix"] = below
    if after:
        query["key-marker"] = after
    order = _Order(bucket, after)
    while True:
        body = bucket.send(Request("GET", query=query, action="s3:ListBucketVersions")).body
        found = list(_versions(body))
        for one in found:
            order.take(one)
            yield one
        if _between(body, b"<IsTruncated>", b"</IsTruncated>") != b"true":
            _ensure_whole(body, b"</ListVersionsResult>", bucket)
            return
        if not found:
            raise _cut_short(bucket, "it says that there is more, and not where")
        # not NextKeyMarker: Ceph leaves it plain where the keys are encoded, Amazon encodes it
        query["key-marker"] = found[-1].key
        query["version-id-marker"] = found[-1].version


class _Order:
    """Takes versions as they come, and refuses what a whole listing cannot have.

    A key that came twice would be taken for two; a page that came twice, for ever.
    """

    def __init__(self, bucket: Bucket, after: bytes) -> None:
        self._bucket = bucket
        self._key = after
        self._versions: set[bytes] = set()
        self._has_latest = False

    def take(self, one: Version) -> None:
        """Take the next one."""
        if one.key > self._key:
            self._key, self._versions, self._has_latest = one.key, {one.version}, one.latest
            return
        if one.key < self._key:
            raise _cut_short(self._bucket, f"{shown(one.key)} comes after {shown(self._key)}")
        if one.version in self._versions or (one.latest and self._has_latest):
            raise _cut_short(self._bucket, f"a version of {shown(one.key)} comes twice")
        self._versions.add(one.version)
        self._has_latest |= one.latest


def _page(bucket: Bucket, after: bytes, token: bytes | None) -> bytes:
    query: dict[str, str | bytes] = {"prefix": bucket.place.prefix} if bucket.place.prefix else {}
    return _listed(bucket, query, after, token)


def _listed(bucket: Bucket, query: dict[str, str | bytes], after: bytes, token: bytes | None) -> bytes:
    query |= {"list-type": "2", "encoding-type": "url", "max-keys": str(PAGE_KEYS)}
    if token:
        query["continuation-token"] = token
    elif after:
        query["start-after"] = after
    body = bucket.send(Request("GET", query=query, action="s3:ListBucket")).body
    _ensure_whole(body, b"</ListBucketResult>", bucket)
    return body


def _contents(body: bytes) -> list[Listed]:
    return [
        Listed(
            _key(_between(part, b"<Key>", b"</Key>")),
            int(_between(part, b"<Size>", b"</Size>")),
            _between(part, b"<LastModified>", b"</LastModified>").decode(),
            _etag(part),
        )
        for part in body.split(b"<Contents>")[1:]
    ]


def _versions(body: bytes) -> Iterator[Version]:
    """Versions and delete markers stand mixed, in the order of their keys."""
    for part in body.replace(b"<DeleteMarker>", b"<Version>\0").split(b"<Version>")[1:]:
        marker = part.startswith(b"\0")
        yield Version(
            _key(_between(part, b"<Key>", b"</Key>")),
            _between(part, b"<VersionId>", b"</VersionId>"),
            _between(part, b"<IsLatest>", b"</IsLatest>") == b"true",
            marker,
            0 if marker else int(_between(part, b"<Size>", b"</Size>")),
            _between(part, b"<LastModified>", b"</LastModified>").decode(),
            "" if marker else _etag(part),
        )


def _next_token(body: bytes, bucket: Bucket) -> bytes:
    if _between(body, b"<IsTruncated>", b"</IsTruncated>") != b"true":
        return b""
    token = _between(body, b"<NextContinuationToken>", b"</NextContinuationToken>")
    if not token:
        raise _cut_short(bucket, "it says that there is more, and not where")
    return _unescaped(token)


def _ensure_onward(found: list[Listed], after: bytes, bucket: Bucket) -> None:
    last = after
    for one in found:
        if one.key <= last:
            raise _cut_short(bucket, f"{shown(one.key)} comes after {shown(last)}")
        last = one.key


def _ensure_whole(body: bytes, end: bytes, bucket: Bucket) -> None:
    if not body.rstrip().endswith(end):
        raise _cut_short(bucket, "the answer is not a listing, or ends in its middle")


def _between(text: bytes, start: bytes, end: bytes) -> bytes:
    first = text.find(start)
    if first < 0:
        return b""
    first += len(start)
    return text[first : text.find(end, first)]


def _key(text: bytes) -> bytes:
    """A blank is encoded as ``%20`` or ``+``, a plus always as ``%2B``; a quote may be left to XML."""
    if b"&" in text:
        text = _unescaped(text)
    if b"%" not in text and b"+" not in text:
        return text
    return unquote_to_bytes(text.replace(b"+", b" "))


def _etag(part: bytes) -> str:
    return _between(part, b"<ETag>", b"</ETag>").replace(b"&quot;", b"").strip(b'"').decode()


def _unescaped(text: bytes) -> bytes:
    return unescaped(text.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _cut_short(bucket: Bucket, why: str) -> IntegrityError:
    return IntegrityError(
        f"the listing of the bucket is incomplete: {why}",
        where=bucket.label,
        fix="Nothing was deleted. Check whether a proxy stands between this worker and the server, then retry.",
    )
