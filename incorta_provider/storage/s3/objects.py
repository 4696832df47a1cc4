"""Write, copy and delete objects, each with a proof that the server has what was sent.

The proof of a plain object is its ETag, the MD5 of what the server stored; we send ours along, and the server refuses a
body with another one. Each part of a large object is proven by its own. Where the ETag is not an MD5, because a key
service encrypts the bucket, the new version is read back and its digest compared.

Who gives up an upload in parts, or replaces an object, while it is written here makes the write fail. It is never taken
for done because there is an object: see :func:`_made`.

:raises DrError: of every call, see :mod:`incorta_provider.storage.s3.faults`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import IO
from urllib.parse import quote, unquote

from incorta_provider.dr.manifest import shown
from incorta_provider.exceptions import ConfigurationError, DrError, IntegrityError, TransientError
from incorta_provider.storage.flow.throttle import alive
from incorta_provider.storage.s3.answers import GONE, ensure_written, missed, told
from incorta_provider.storage.s3.body_md5 import guard, md5_of
from incorta_provider.storage.s3.bucket import Answer, Bucket, Request
from incorta_provider.storage.s3.deletion import delete_some
from incorta_provider.storage.s3.facts import plain_md5, recorded_sha256
from incorta_provider.storage.s3.faults import CHANGED
from incorta_provider.storage.s3.markup import escaped, unescaped, value_of

PART_BYTES = 16 * 1024 * 1024
SINGLE_BYTES = 64 * 1024 * 1024
"""Above it an object is written in parts."""

COPY_BYTES = 5 * 1024**3
"""What S3 copies in one request at most; above it a copy is made in parts, of ``COPY_PART_BYTES``."""

COPY_PART_BYTES = 512 * 1024**2
DELETE_KEYS = 1000
_MOST_PARTS = 10_000
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Written:
    """A new version of an object."""

    version: bytes
    etag: str


def put(bucket: Bucket, key: bytes, body: bytes, md5: bytes, sha256: bytes, headers: Mapping[str, str]) -> Written:
    """Write an object in one request."""
    sent = {**headers, **guard(md5)}
    answer = bucket.send(Request("PUT", key, headers=sent, body=body))
    ensure_written(bucket, key, answer)
    _ensure_stored(bucket, key, answer, md5.hex(), sha256)
    return Written(_version(answer, bucket), answer.etag)


def put_in_parts(
    bucket: Bucket, key: bytes, file: IO[bytes], size: int, sha256: bytes, headers: Mapping[str, str]
) -> Written:
    """Write a large object from a file, part by part; a failure leaves no parts behind."""
    part_bytes = max(PART_BYTES, -(-size // _MOST_PARTS))

    def send(upload: str, number: int) -> str:
        data = os.pread(file.fileno(), part_bytes, (number - 1) * part_bytes)
        md5 = md5_of(data)
        query = {"partNumber": str(number), "uploadId": upload}
        answer = bucket.send(Request("PUT", key, query, guard(md5), data))
        ensure_written(bucket, key, answer)
        if plain_md5(answer.headers, answer.etag) not in {None, md5.hex()}:
            raise _damaged(bucket, key)
        alive()
        return told(bucket, key, answer.etag, "ETag")

    return _in_parts(bucket, key, _Whole(size, part_bytes, sha256), send, headers)


def copy(
    bucket: Bucket,
    key: bytes,
    source: tuple[str, bytes, bytes | None],
    size: int,
    headers: Mapping[str, str] | None = None,
    etag: str = "",
) -> Written | None:
    """Copy an object on the server; None when the source is gone or another one by now.

    :param source: bucket, key and version.
    :param headers: metadata of the copy; None keeps those of the source, which only a copy in one request can.
    :param etag: of the source as it must be.
    """
    name, source_key, version = source
    place = f"/{name}/{quote(source_key, safe='/')}" + (f"?versionId={quote(version)}" if version else "")
    sent = {"x-amz-copy-source": place}
    if etag:
        sent["x-amz-copy-source-if-match"] = f'"{etag}"'
    if is_copied_in_parts(size):
        return _copy_in_parts(bucket, key, size, sent, headers or {})
    headers = None if headers is None else dict(headers)
    tagging = headers.pop("x-amz-tagging", "") if headers else ""
    if headers is not None:
        sent |= {**headers, "x-amz-metadata-directive": "REPLACE"}
    answer = bucket.send(Request("PUT", key, headers=sent, action="s3:PutObject or s3:GetObject of the source"))
    if answer.code in GONE | CHANGED:
        return None
    ensure_written(bucket, key, answer)
    written = _made(bucket, key, answer, _Whole(size, size, recorded_sha256(headers or {})))
    if tagging:
        _tag(bucket, key, written.version, tagging)
    return written


def delete(bucket: Bucket, versions: Sequence[tuple[bytes, bytes | None]]) -> None:
    """Delete keys, which keeps their versions, or versions, which are gone for good; a thousand in a request.

    What is gone already is fine.

    :raises ConfigurationError: names each that the server refused; the others are deleted.
    :raises TransientError: the server was too busy to delete some of them.
    """
    if refused := delete_allowed(bucket, versions):
        raise ConfigurationError(
            f"{len(refused)} object(s) could not be deleted:\n  " + "\n  ".join(refused[:_SHOWN]),
            where=bucket.label,
            fix="Allow s3:DeleteObject and s3:DeleteObjectVersion there to the identity of the connection, then retry.",
        )


def delete_allowed(bucket: Bucket, versions: Sequence[tuple[bytes, bytes | None]]) -> list[str]:
    """Delete what the server lets go, and return each that it refused, with its code.

    :raises TransientError: the server was too busy to delete some of them.
    """
    parts = range(0, len(versions), DELETE_KEYS)
    return [refused for first in parts for refused in delete_some(bucket, versions[first : first + DELETE_KEYS])]


def tags(bucket: Bucket, key: bytes) -> str:
    """Return the tags of an object as a request writes them; empty when it is gone."""
    answer = bucket.send(Request("GET", key, {"tagging": ""}, action="s3:GetObjectTagging", of_object=True))
    if answer.code:
        missed(bucket, key, answer)
    pairs = answer.body.decode().split("<Tag>")[1:]
    return "&".join("=".join(quote(unescaped(value_of(pair, name))) for name in ("Key", "Value")) for pair in pairs)


def abort_uploads(bucket: Bucket, older_than: datetime) -> int:
    """Give up uploads in parts below the prefix that were begun before a time; return how many there were."""
    query: dict[str, str | bytes] = {"uploads": "", "prefix": bucket.place.prefix}
    body = bucket.send(Request("GET", query=query, action="s3:ListBucketMultipartUploads")).body.decode()
    begun = f"{older_than:%Y-%m-%dT%H:%M:%S}"
    parts = [part for part in body.split("<Upload>")[1:] if value_of(part, "Initiated") < begun]
    for part in parts:
        key, upload = (value_of(part, name) for name in ("Key", "UploadId"))
        _abort(bucket, unescaped(key).encode(), upload)
    return len(parts)


def is_copied_in_parts(size: int) -> bool:
    """Tell whether a copy is made in parts, which must be told the metadata of the source."""
    return size > COPY_BYTES


def _in_parts(
    bucket: Bucket, key: bytes, whole: _Whole, send: Callable[[str, int], str], headers: Mapping[str, str]
) -> Written:
    """Write an object part by part; as with a copy, tags are set afterwards: not every server takes them before."""
    headers = dict(headers)
    tagging = headers.pop("x-amz-tagging", "")
    started = bucket.send(Request("POST", key, {"uploads": ""}, headers, action="s3:PutObject"))
    ensure_written(bucket, key, started)
    upload = told(bucket, key, value_of(started.body.decode(), "UploadId"), "id of the upload")
    try:
        etags = [send(upload, number) for number in range(1, -(-whole.size // whole.part_bytes) + 1)]
        written = _made(bucket, key, _finish(bucket, key, upload, etags), whole)
    except BaseException:
        with suppress(DrError):  # a prune gives up what stays; what failed first is what must be said
            _abort(bucket, key, upload)
        raise
    if tagging:
        _tag(bucket, key, written.version, tagging)
    return written


def _tag(bucket: Bucket, key: bytes, version: bytes, tagging: str) -> None:
    pairs = (pair.partition("=") for pair in tagging.split("&"))
    tagged = "".join(
        f"<Tag><Key>{escaped(unquote(name))}</Key><Value>{escaped(unquote(value))}</Value></Tag>"
        for name, _, value in pairs
    )
    body = f"<Tagging><TagSet>{tagged}</TagSet></Tagging>".encode()
    query: dict[str, str | bytes] = {"tagging": "", "versionId": version}
    answer = bucket.send(Request("PUT", key, query, guard(md5_of(body)), body, action="s3:PutObjectTagging"))
    ensure_written(bucket, key, answer)


def _finish(bucket: Bucket, key: bytes, upload: str, etags: Iterable[str]) -> Answer:
    parts = "".join(
        f'<Part><PartNumber>{number}</PartNumber><ETag>"{etag}"</ETag></Part>' for number, etag in enumerate(etags, 1)
    )
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    return bucket.send(Request("POST", key, {"uploadId": upload}, body=body, action="s3:PutObject"))


def _abort(bucket: Bucket, key: bytes, upload: str) -> None:
    bucket.send(Request("DELETE", key, {"uploadId": upload}, action="s3:AbortMultipartUpload"))


def _copy_in_parts(
    bucket: Bucket, key: bytes, size: int, source: Mapping[str, str], headers: Mapping[str, str]
) -> Written | None:
    part_bytes = max(COPY_PART_BYTES, -(-size // _MOST_PARTS))

    def send(upload: str, number: int) -> str:
        first = (number - 1) * part_bytes
        last = min(first + part_bytes, size) - 1
        query = {"partNumber": str(number), "uploadId": upload}
        answer = bucket.send(Request("PUT", key, query, {**source, "x-amz-copy-source-range": f"bytes={first}-{last}"}))
        if answer.code in GONE | CHANGED:
            raise _ChangedSourceError
        ensure_written(bucket, key, answer)
        alive()
        return told(bucket, key, _etag_in(answer.body), "ETag")

    try:
        return _in_parts(bucket, key, _Whole(size, part_bytes, recorded_sha256(headers)), send, headers)
    except _ChangedSourceError:
        return None


@dataclass(frozen=True, slots=True)
class _Whole:
    """An object that is sent.

    :ivar sha256: where it is written beside the content.
    """

    size: int
    part_bytes: int
    sha256: bytes | None

    def is_in(self, head: Answer) -> bool:
        """Tell whether an object that is there is this one."""
        is_as_long = head.headers.get("content-length") == str(self.size)
        return bool(self.sha256) and is_as_long and recorded_sha256(head.headers) == self.sha256


class _ChangedSourceError(Exception):
    """The source of a copy was replaced between two parts."""


def _ensure_stored(bucket: Bucket, key: bytes, answer: Answer, md5: str, sha256: bytes) -> None:
    known = plain_md5(answer.headers, told(bucket, key, answer.etag, "ETag"))
    if known == md5:
        return
    if known is not None and "x-amz-server-side-encryption" not in answer.headers:
        raise _damaged(bucket, key)
    version = answer.headers.get("x-amz-version-id", "")
    stored = bucket.send(Request("GET", key, {"versionId": version} if version else None))
    if hashlib.sha256(stored.body).digest() != sha256:
        raise _damaged(bucket, key)


def _damaged(bucket: Bucket, key: bytes) -> TransientError:
    return TransientError(
        f"the server stored {shown(key)} with other content than was sent",
        where=bucket.label,
        fix="Retry. If it happens again, look for a proxy or a storage that damages data.",
    )


def _made(bucket: Bucket, key: bytes, answer: Answer, whole: _Whole) -> Written:
    """Return the version that a copy or an upload in parts made, which not every server tells in its answer.

    One that does not is asked; also when the upload is unknown. That is so when a former try was done and its answer
    lost, and when somebody gave the upload up: then the key has another object, or the one before. Only what has the
    size and the digest that were sent is ours.
    """
    etag = _etag_in(answer.body)
    if etag and "x-amz-version-id" in answer.headers:
        return Written(_version(answer, bucket), etag)
    head = bucket.send(Request("HEAD", key))
    if etag == head.etag if etag else whole.is_in(head):
        return Written(_version(head, bucket), head.etag)
    ensure_written(bucket, key, answer)
    raise TransientError(
        f"{shown(key)} was replaced while it was written",
        where=bucket.label,
        fix="Find out who else writes to the bucket, then retry.",
    )


def _version(answer: Answer, bucket: Bucket) -> bytes:
    version = answer.headers.get("x-amz-version-id", "")
    if version in {"", "null"}:
        raise IntegrityError(
            "the server gave a new object no version: versioning of the bucket is off",
            where=bucket.label,
            fix="Turn versioning on and keep it on; until then nothing is sealed.",
        )
    return version.encode()


def _etag_in(body: bytes) -> str:
    return unescaped(value_of(body.decode(), "ETag")).strip('"')
