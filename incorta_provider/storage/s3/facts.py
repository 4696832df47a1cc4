"""What an object says of itself: its time, and what we wrote beside its content."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

from incorta_provider.dr.manifest import Entry

META = "x-amz-meta-"
SHA256 = f"{META}incorta-sha256"
MD5 = f"{META}incorta-md5"
MTIME_NS = f"{META}incorta-mtime-ns"
MODE = f"{META}incorta-mode"

FILE_MODE = 0o644
"""The permission bits of an object, which has none."""

_KEPT = ("content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires")
_OURS = frozenset({SHA256, MD5, MTIME_NS, MODE})
_MILLISECOND_NS = 1_000_000
_MD5_DIGITS = 32


def mtime_ns(modified_ms: int, etag: str) -> int:
    """Return an object's time, with a check sum of its ETag in the digits below a millisecond.

    A bucket keeps times in seconds or milliseconds: of two objects that replaced each other within one, with the same
    size, only the ETag shows that there were two. The last digit is 1, so that the time never looks like one that a
    coarser storage has cut.
    """
    return modified_ms * _MILLISECOND_NS + zlib.crc32(etag.encode()) % 99_999 * 10 + 1


def modified_ms(text: str) -> int:
    """Return the milliseconds since 1970 of a time as listings write it: ``2026-11-28T12:47:58.123Z``."""
    return _second(text[:19]) * 1000 + int((text[20:-1] or "0").ljust(3, "0")[:3])


def mtime_of(headers: Mapping[str, str], etag: str, listed_ns: int) -> int:
    """Return the time of an object that was read: the listing's, which is finer, if it still is the one listed."""
    if listed_ns == mtime_ns(listed_ns // _MILLISECOND_NS, etag):
        return listed_ns
    seconds = parsedate_to_datetime(headers["last-modified"]).timestamp()
    return mtime_ns(int(seconds) * 1000, etag)


def plain_md5(headers: Mapping[str, str], etag: str) -> str | None:
    """Return the MD5 of the content, in hex, if the ETag is one: not of parts, nor of what a key service encrypts."""
    if len(etag) != _MD5_DIGITS or headers.get("x-amz-server-side-encryption", "").startswith("aws:kms"):
        return None
    return None if "x-amz-server-side-encryption-customer-algorithm" in headers else etag


def proven_sha256(headers: Mapping[str, str], etag: str) -> bytes | None:
    """Return the digest that we wrote beside the content, if the ETag proves that it is still that content's."""
    md5 = plain_md5(headers, etag)
    if md5 is None or headers.get(MD5) != md5:
        return None
    return recorded_sha256(headers)


def recorded_sha256(headers: Mapping[str, str]) -> bytes | None:
    """Return the digest that stands beside the content."""
    try:
        return bytes.fromhex(headers.get(SHA256, "")) or None
    except ValueError:
        return None


def of_entry(entry: Entry, sha256: bytes, md5: str | None) -> dict[str, str]:
    """Return what is written beside the content of a file."""
    own = {SHA256: sha256.hex(), MTIME_NS: str(entry.mtime_ns), MODE: f"{entry.mode:o}"}
    return own if md5 is None else own | {MD5: md5}


def carried(headers: Mapping[str, str]) -> dict[str, str]:
    """Return what a copy keeps of an object's headers: its metadata, and what a browser is told of the content."""
    return {
        name: value for name, value in headers.items() if name in _KEPT or (name.startswith(META) and name not in _OURS)
    }


@lru_cache(maxsize=4096)
def _second(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
