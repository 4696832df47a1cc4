"""Bring one object to a local file or into memory, whole and proven, or say why not.

An object never changes under a read: what one answer gives is one version. A body that ends too early is continued
after its last byte, if the object is still the same one. Where the ETag is the MD5 of the content, what arrived is
held against it; and against a SHA-256 of our own, where :mod:`~incorta_provider.storage.s3.facts` proves that one. The
length is held against the listing's, unless the ETag says that it is a newer object.

:raises TransientError: what came is not the answer of an S3 server, or breaks off each time.
"""
# Names are bytes, which pathlib does not take.
# ruff: noqa: PTH108

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from incorta_provider.dr.manifest import Entry, Kind, shown
from incorta_provider.exceptions import IntegrityError, TransientError
from incorta_provider.storage.faults import target_fault
from incorta_provider.storage.flow.throttle import moved
from incorta_provider.storage.local.copy import write_all
from incorta_provider.storage.s3.answers import ensure_object, ensure_range, head_of, missed
from incorta_provider.storage.s3.bucket import Answer, Bucket, Request
from incorta_provider.storage.s3.facts import FILE_MODE, mtime_of, plain_md5, proven_sha256
from incorta_provider.storage.tree import Missed

RANGE_BYTES = 32 * 1024 * 1024
"""Objects above twice of it are read in ranges in parallel."""

RANGES_AT_ONCE = 4
_TRIES = 5


@dataclass(slots=True)
class Digests:
    """Takes both digests of a stream."""

    size: int = 0
    sha256: hashlib._Hash = field(default_factory=hashlib.sha256)
    md5: hashlib._Hash = field(default_factory=lambda: hashlib.md5(usedforsecurity=False))

    def add(self, data: bytes) -> None:
        """Take in what comes next."""
        self.sha256.update(data)
        self.md5.update(data)
        self.size += len(data)


@dataclass(frozen=True, slots=True)
class Fetched:
    """An object that was read.

    :ivar entry: with its digest.
    :ivar headers: of the answer.
    :ivar md5: of what arrived; empty where it was not read here.
    """

    entry: Entry
    headers: Mapping[str, str]
    etag: str
    md5: bytes = b""


def download(bucket: Bucket, entry: Entry, into: bytes) -> Entry | Missed:
    """Copy an object to the file ``into``, or leave none there.

    :raises FileExistsError: there is something at ``into``.
    :raises IntegrityError: the object may not be read, or is damaged.
    """
    try:
        handle = os.open(into, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise
    except OSError as error:
        raise target_fault(error, os.fsdecode(into)) from None
    fetched: Fetched | Missed | None = None
    try:
        fetched = _into(bucket, entry, handle)
        if isinstance(fetched, Fetched):
            os.fchmod(handle, fetched.entry.mode)
            os.utime(handle, ns=(fetched.entry.mtime_ns, fetched.entry.mtime_ns))
    except OSError as error:
        fetched = None
        raise target_fault(error, os.fsdecode(into)) from None
    finally:
        os.close(handle)
        if not isinstance(fetched, Fetched):
            os.unlink(into)
    return fetched.entry if isinstance(fetched, Fetched) else fetched


def read(bucket: Bucket, entry: Entry) -> tuple[Fetched, bytes] | Missed:
    """Return a small object as bytes."""
    parts: list[bytes] = []
    fetched = _streamed(bucket, entry, parts.append)
    return fetched if isinstance(fetched, Missed) else (fetched, b"".join(parts))


def digest(bucket: Bucket, entry: Entry, version: bytes | None = None) -> Fetched | Missed:
    """Read an object for its digest alone.

    :param version: which one; the current one unless given.
    """
    return _streamed(bucket, entry, lambda _: None, version)


def _into(bucket: Bucket, entry: Entry, handle: int) -> Fetched | Missed:
    if entry.size <= 2 * RANGE_BYTES:

        def write(data: bytes) -> None:
            write_all(handle, memoryview(data))

        return _streamed(bucket, entry, write)
    return _in_ranges(bucket, entry, handle)


def _streamed(
    bucket: Bucket, entry: Entry, take: Callable[[bytes], None], version: bytes | None = None
) -> Fetched | Missed:
    """Read an object from front to end, again from where it broke off while that helps."""
    key = bucket.place.key(entry.path)
    digests, first = Digests(), None
    query = {"versionId": version} if version else {}
    for _ in range(_TRIES):
        headers: dict[str, str] = {}
        if first is not None:
            headers = {"range": f"bytes={digests.size}-", "if-match": f'"{first.etag}"'}
        answer = bucket.send(Request("GET", key, query, headers, of_object=True, stream=True))
        if answer.code:
            return missed(bucket, key, answer)
        if first is None:
            ensure_object(bucket, key, answer)
            first = answer
        else:
            ensure_range(bucket, key, answer, digests.size, int(first.headers["content-length"]) - 1)
        try:
            for data in answer.stream or ():
                take(data)
                digests.add(data)
                moved(len(data))
        except ConnectionError:
            continue
        return _proven(bucket, entry, first, digests)
    raise _breaking_off(bucket, entry)


def _in_ranges(bucket: Bucket, entry: Entry, handle: int) -> Fetched | Missed:
    key = bucket.place.key(entry.path)
    head = head_of(bucket, key)
    if isinstance(head, Missed):
        return head
    size = int(head.headers["content-length"])

    def bring(first: int) -> Missed | None:
        return _range(bucket, entry, handle, (first, min(first + RANGE_BYTES, size) - 1), head.etag)

    with ThreadPoolExecutor(RANGES_AT_ONCE) as threads:
        for fault in threads.map(bring, range(0, size, RANGE_BYTES)):
            if fault is not None:
                return fault
    digests = Digests()
    for data in _stored(handle):
        digests.add(data)
    return _proven(bucket, entry, head, digests)


def _range(bucket: Bucket, entry: Entry, handle: int, ends: tuple[int, int], etag: str) -> Missed | None:
    """Bring the bytes from the first to the last one; None when all are there."""
    key = bucket.place.key(entry.path)
    at, last = ends
    for _ in range(_TRIES):
        headers = {"range": f"bytes={at}-{last}", "if-match": f'"{etag}"'}
        answer = bucket.send(Request("GET", key, None, headers, of_object=True, stream=True))
        if answer.code:
            return missed(bucket, key, answer)
        ensure_range(bucket, key, answer, at, last)
        try:
            for data in answer.stream or ():
                _write_at(handle, memoryview(data), at)
                at += len(data)
                moved(len(data))
        except ConnectionError:
            continue
        if at == last + 1:
            return None
        break
    raise _breaking_off(bucket, entry)


def entry_of(entry: Entry, headers: Mapping[str, str], etag: str) -> Entry:
    """Return the entry of an object as it was read, which may be newer than ``entry``; without digest."""
    size = int(headers.get("content-length", "0"))
    return Entry(entry.path, Kind.FILE, size, mtime_of(headers, etag, entry.mtime_ns), FILE_MODE)


def _proven(bucket: Bucket, entry: Entry, answer: Answer, digests: Digests) -> Fetched:
    """Hold what arrived against what the server and we ourselves wrote down of it."""
    headers, etag = answer.headers, answer.etag
    found = entry_of(entry, headers, etag)
    sha256, md5 = digests.sha256.digest(), digests.md5.digest()
    if (
        digests.size != found.size
        or (found.mtime_ns == entry.mtime_ns and digests.size != entry.size)
        or plain_md5(headers, etag) not in {None, md5.hex()}
        or proven_sha256(headers, etag) not in {None, sha256}
    ):
        raise IntegrityError(
            f"{shown(entry.path)} came with other content than the server says it has: damaged there or on the way",
            where=bucket.label,
            fix="Retry; if it happens again, restore the previous version of the object.",
        )
    return Fetched(found._replace(sha256=sha256), headers, etag, md5)


def _write_at(handle: int, data: memoryview, at: int) -> None:
    """Write all of it: a disk that becomes full takes a part first, which would leave a hole."""
    while data:
        written = os.pwrite(handle, data, at)
        data, at = data[written:], at + written


def _breaking_off(bucket: Bucket, entry: Entry) -> TransientError:
    return TransientError(
        f"{shown(entry.path)} breaks off each time it is read", where=bucket.label, fix="Check the network, then retry."
    )


def _stored(handle: int) -> Iterator[bytes]:
    at = 0
    while data := os.pread(handle, 1024 * 1024, at):
        yield data
        at += len(data)
