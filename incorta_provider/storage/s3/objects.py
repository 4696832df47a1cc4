"""Write, copy and delete objects, each with a proof that the server has what was sent.

The proof of a plain object is its ETag, the MD5 of what the server stored; we send ours along, and the server refuses a
body with another one. Each part of a large object is proven by its own. Where the ETag is not an MD5, because a key
service encrypts the bucket, the new version is read back and its digest compared.

:raises DrError: of every call, see :mod:`incorta_provider.storage.s3.faults`.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO
from urllib.parse import quote, unquote

from incorta_provider.dr.manifest import shown
from incorta_provider.exceptions import ConfigurationError, IntegrityError, TransientError
from incorta_provider.storage.flow.throttle import alive
from incorta_provider.storage.s3.bucket import Answer, Bucket, Request
from incorta_provider.storage.s3.facts import plain_md5
from incorta_provider.storage.s3.markup import escaped, unescaped

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


def md5_of(data: bytes) -> bytes:
    """Return the MD5 of bytes; it guards against damage on the way, not against a forger."""
    return hashlib.md5(data, usedforsecurity=False).digest()


def _guard(md5: bytes) -> dict[str, str]:
    """Return the header by which the server refuses a body that is not what was sent."""
    return {"content-md5": base64.b64encode(md5).decode()}


def put(bucket: Bucket, key: bytes, body: bytes, md5: bytes, sha256: bytes, headers: Mapping[str, str]) -> Written:
    """Write an object in one request."""
    sent = {**headers, **_guard(md5)}
    answer = bucket.send(Request("PUT", key, headers=sent, body=body))
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
        answer = bucket.send(Request("PUT", key, query, _guard(md5), data))
        if plain_md5(answer.headers, answer.etag) not in {None, md5.hex()}:
            raise _damaged(bucket, key)
        alive()
        return answer.etag

    return _in_parts(bucket, key, -(-size // part_bytes), send, headers)


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
    if answer.code:
        return None
    written = _made(bucket, key, answer)
    if tagging:
        _tag(bucket, key, written.version, tagging)
    return written


def delete(bucket: Bucket, versions: Sequence[tuple[bytes, bytes | None]]) -> None:
    """Delete keys, which keeps their versions, or versions, which are gone for good; a thousand in a request.

    What is gone already is fine.

    :raises ConfigurationError: names each that the server refused; the others are deleted.
    """
    if refused := delete_allowed(bucket, versions):
        raise ConfigurationError(
            f"{len(refused)} object(s) could not be deleted:\n  " + "\n  ".join(refused[:_SHOWN]),
            where=bucket.label,
            fix="Allow s3:DeleteObject and s3:DeleteObjectVersion there to the identity of the connection, then retry.",
        )


def delete_allowed(bucket: Bucket, versions: Sequence[tuple[bytes, bytes | None]]) -> list[str]:
    """Delete what the server lets go, and return each that it refused, with its code."""
    parts = range(0, len(versions), DELETE_KEYS)
    return [refused for first in parts for refused in _delete(bucket, versions[first : first + DELETE_KEYS])]


def tags(bucket: Bucket, key: bytes) -> str:
    """Return the tags of an object as a request writes them; empty when it is gone."""
    answer = bucket.send(Request("GET", key, {"tagging": ""}, action="s3:GetObjectTagging", of_object=True))
    pairs = answer.body.decode().split("<Tag>")[1:]
    return "&".join("=".join(quote(unescaped(_field(pair, name))) for name in ("Key", "Value")) for pair in pairs)


def abort_uploads(bucket: Bucket, older_than: datetime) -> int:
    """Give up uploads in parts below the prefix that were begun before a time; return how many there were."""
    query: dict[str, str | bytes] = {"uploads": "", "prefix": bucket.place.prefix}
    body = bucket.send(Request("GET", query=query, action="s3:ListBucketMultipartUploads")).body.decode()
    begun = f"{older_than:%Y-%m-%dT%H:%M:%S}"
    parts = [part for part in body.split("<Upload>")[1:] if _field(part, "Initiated") < begun]
    for part in parts:
        key, upload = (_field(part, name) for name in ("Key", "UploadId"))
        _abort(bucket, unescaped(key).encode(), upload)
    return len(parts)


def is_copied_in_parts(size: int) -> bool:
    """Tell whether a copy is made in parts, which must be told the metadata of the source."""
    return size > COPY_BYTES


def _in_parts(
    bucket: Bucket, key: bytes, count: int, send: Callable[[str, int], str], headers: Mapping[str, str]
) -> Written:
    """Write an object part by part; as with a copy, tags are set afterwards: not every server takes them before."""
    headers = dict(headers)
    tagging = headers.pop("x-amz-tagging", "")
    started = bucket.send(Request("POST", key, {"uploads": ""}, headers, action="s3:PutObject"))
    upload = _field(started.body.decode(), "UploadId")
    try:
        etags = [send(upload, number) for number in range(1, count + 1)]
        written = _finish(bucket, key, upload, etags)
    except BaseException:
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
    bucket.send(Request("PUT", key, query, _guard(md5_of(body)), body, action="s3:PutObjectTagging"))


def _finish(bucket: Bucket, key: bytes, upload: str, etags: Iterable[str]) -> Written:
    parts = "".join(
        f'<Part><PartNumber>{number}</PartNumber><ETag>"{etag}"</ETag></Part>' for number, etag in enumerate(etags, 1)
    )
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    answer = bucket.send(Request("POST", key, {"uploadId": upload}, body=body, action="s3:PutObject"))
    return _made(bucket, key, answer)


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
        if answer.code:
            raise _ChangedSourceError
        alive()
        return _etag_in(answer.body)

    try:
        return _in_parts(bucket, key, -(-size // part_bytes), send, headers)
    except _ChangedSourceError:
        return None


class _ChangedSourceError(Exception):
    """The source of a copy was replaced between two parts."""


def _delete(bucket: Bucket, versions: Sequence[tuple[bytes, bytes | None]]) -> list[str]:
    objects = "".join(
        f"<Object><Key>{escaped(key.decode())}</Key>"
        + (f"<VersionId>{version.decode()}</VersionId>" if version else "")
        + "</Object>"
        for key, version in versions
    )
    body = f"<Delete><Quiet>true</Quiet>{objects}</Delete>".encode()
    guard = _guard(md5_of(body))
    answer = bucket.send(Request("POST", None, {"delete": ""}, guard, body, action="s3:DeleteObject"))
    errors = answer.body.decode("utf-8", "replace").split("<Error>")[1:]
    absent = {"NoSuchKey", "NoSuchVersion"}
    return [
        f"{shown(unescaped(_field(error, 'Key')).encode())}: {_field(error, 'Code')}"
        for error in errors
        if _field(error, "Code") not in absent
    ]


def _ensure_stored(bucket: Bucket, key: bytes, answer: Answer, md5: str, sha256: bytes) -> None:
    known = plain_md5(answer.headers, answer.etag)
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


def _made(bucket: Bucket, key: bytes, answer: Answer) -> Written:
    """Return the version that a copy or an upload in parts made, which not every server tells in its answer.

    One that does not is asked; also when the upload is unknown, because a former try was done and its answer lost.
    """
    etag = _etag_in(answer.body)
    if etag and "x-amz-version-id" in answer.headers:
        return Written(_version(answer, bucket), etag)
    head = bucket.send(Request("HEAD", key))
    if head.code or etag not in {"", head.etag}:
        raise TransientError(
            f"{shown(key)} was replaced while it was written",
            where=bucket.label,
            fix="Find out who else writes to the bucket, then retry.",
        )
    return Written(_version(head, bucket), head.etag)


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
    return unescaped(_field(body.decode(), "ETag")).strip('"')


def _field(text: str, name: str) -> str:
    _, _, rest = text.partition(f"<{name}>")
    return rest.partition(f"</{name}>")[0]
