"""What a file system of fsspec tells of a file, whose version it is above all.

fsspec prescribes the name, size and type of a file, and neither the key nor the unit of its time. What is taken here is
what its own file systems tell (fsspec 2026.9: local, sftp and smb ``mtime``, ftp ``modify`` as RFC 3659 writes it,
webhdfs ``modificationTime`` in milliseconds, memory ``created``), and gcsfs, adlfs and s3fs besides.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from incorta_provider.dr.manifest import MODE_BITS

Info = Mapping[str, Any]

_TIMES = ("mtime", "last_modified", "LastModified", "Last-Modified", "modified", "modify", "updated", "created")
_MILLISECONDS = "modificationTime"
_MARKS = (
    "etag",
    "ETag",
    "version_id",
    "VersionId",
    "generation",
    "checksum",
    "md5Hash",
    "content_md5",
    "crc32c",
    "sha",
)
_FTP_TIME = re.compile(r"(\d{14})(?:\.(\d{1,6}))?")
_SECOND_NS, _MILLISECOND_NS, _MICROSECOND_NS = 1_000_000_000, 1_000_000, 1_000


def name_of(info: Info) -> bytes:
    """Return the last part of a path."""
    name: str = info["name"].rstrip("/").rpartition("/")[2]
    return name.encode("utf-8", "surrogateescape")


def mode_of(info: Info, otherwise: int) -> int:
    """Return the permission bits."""
    mode = info.get("mode")
    return mode & MODE_BITS if isinstance(mode, int) else otherwise


def version_ns(info: Info) -> int | None:
    """Return what shows that a file was written over: its time, in nanoseconds since 1970.

    Where no time is told that can be read, it is made of a check sum or a version, so that another one is another time.
    Its last digit is 1: it never looks like a time that a coarser storage has cut.

    :returns: None where nothing is told.
    """
    if isinstance(milliseconds := info.get(_MILLISECONDS), int):
        return milliseconds * _MILLISECOND_NS
    times = (_time_ns(info[name]) for name in _TIMES if info.get(name) is not None)
    found = next((time for time in times if time is not None), None)
    if found is None and (mark := next((info[name] for name in _MARKS if info.get(name)), None)) is not None:
        return int.from_bytes(hashlib.sha256(str(mark).encode()).digest()[:5]) * 10 + 1
    return found


def _time_ns(value: object) -> int | None:
    if isinstance(value, str):
        value = _parsed(value)
    if isinstance(value, datetime):
        whole = value if value.tzinfo else value.replace(tzinfo=UTC)
        return int(whole.timestamp()) * _SECOND_NS + whole.microsecond * _MICROSECOND_NS
    return int(value * _SECOND_NS) if isinstance(value, int | float) else None


def _parsed(text: str) -> datetime | None:
    """Return a time that is written as FTP's MLSD, ISO 8601 or HTTP do; None for any other, such as ``ls -l``'s."""
    for parse in (_ftp_time, datetime.fromisoformat, parsedate_to_datetime):
        try:
            return parse(text)
        except ValueError:
            continue
    return None


def _ftp_time(text: str) -> datetime:
    if (found := _FTP_TIME.fullmatch(text)) is None:
        raise ValueError(text)
    whole = datetime.strptime(found[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return whole.replace(microsecond=int((found[2] or "").ljust(6, "0")))
