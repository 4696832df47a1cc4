"""Where in which bucket, by the URL of a topology: ``s3://conn_id@bucket/prefix``.

The connection's id stands where a URL has its user; :data:`DEFAULT_CONN_ID` unless given. A prefix is a folder: it ends
in ``/``, whether the URL says so or not.

:raises ConfigurationError: the URL names no bucket, or has parts that mean nothing here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from incorta_provider.dr.manifest import shown
from incorta_provider.exceptions import ConfigurationError, IntegrityError

DEFAULT_CONN_ID = "aws_default"
MAX_KEY_BYTES = 1024
"""What S3 allows for a key."""

_MARK = b".incorta-dr/replica.json"
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of a bucket.

    :param prefix: what each key begins with; empty for the whole bucket.
    """

    conn_id: str
    bucket: str
    prefix: bytes = b""

    @property
    def label(self) -> str:
        """Its address, for messages."""
        return f"s3://{self.conn_id}@{self.bucket}/{shown(self.prefix)}"

    @property
    def mark(self) -> bytes:
        """The key of the object that says whose replica this is: beside the prefix, where that is not all keys."""
        return self.prefix.rstrip(b"/") + _MARK

    @property
    def marks_around(self) -> list[bytes]:
        """The keys of the marks that replicas would have which this prefix lies in: first that of the whole bucket."""
        names = self.prefix.split(b"/")[:-1]
        return [b"/".join(names[:depth]) + _MARK for depth in range(len(names))]

    def is_mark_inside(self, key: bytes) -> bool:
        """Tell whether a key below the prefix is that of another replica's mark; it sorts before what it is beside."""
        return key.endswith(_MARK) and key != self.mark

    @property
    def hidden(self) -> bytes:
        """The path that no listing shows: that of the mark in a whole bucket, elsewhere that of the prefix itself."""
        return b"" if self.prefix else self.mark

    def key(self, path: bytes) -> bytes:
        """Return the key of a path.

        :raises IntegrityError: S3 has no such keys; says why.
        """
        key = self.prefix + path
        if len(key) > MAX_KEY_BYTES:
            raise self._no_key(path, f"{len(key)} bytes are more than the {MAX_KEY_BYTES} that S3 allows for a key")
        try:
            key.decode("utf-8")
        except UnicodeDecodeError:
            raise self._no_key(path, "the name is not UTF-8, and keys of S3 must be") from None
        return key

    def path(self, key: bytes) -> bytes:
        """Return the path of a key."""
        return key[len(self.prefix) :]

    def _no_key(self, path: bytes, why: str) -> IntegrityError:
        return IntegrityError(
            f"{shown(path)} cannot be kept in a bucket: {why}",
            where=self.label,
            fix="Rename it at the source, or exclude it in the topology.",
        )


def parse_place(url: str) -> Place:
    """Read the URL of a topology."""
    parts = urlsplit(url)
    conn_id, at, bucket = parts.netloc.rpartition("@")
    if parts.scheme != "s3" or not _BUCKET.fullmatch(bucket):
        raise _refused(url, f"{bucket!r} is not a bucket name")
    if parts.query or parts.fragment:
        raise _refused(url, "a '?' or '#' in a prefix must be written as %3F or %23")
    if at and not conn_id:
        raise _refused(url, "there is no connection id before the '@'")
    prefix = unquote_to_bytes(parts.path).strip(b"/")
    return Place(unquote(conn_id) or DEFAULT_CONN_ID, bucket, prefix + b"/" if prefix else b"")


def _refused(url: str, what: str) -> ConfigurationError:
    return ConfigurationError(
        what, where=url, fix="Correct the URL in the topology, for example s3://aws_dr@acme-incorta/Tenants."
    )
