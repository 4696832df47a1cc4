"""The live keys of a bucket as they are, in the words of the point that they should be.

A bucket keeps neither times nor modes nor folders nor links. Where a key holds what the point names, the point's facts
are shown; folders and links are shown as the point has them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.storage.exclude import Exclude
from incorta_provider.storage.manifest.manifest_file import read_manifest
from incorta_provider.storage.s3.bucket import Bucket
from incorta_provider.storage.s3.census import Now, everything, look
from incorta_provider.storage.s3.download import digest, download
from incorta_provider.storage.s3.facts import FILE_MODE, modified_ms, mtime_ns
from incorta_provider.storage.s3.plan import side_by_side
from incorta_provider.storage.tree import Missed


class LiveTree:
    """The live keys.

    :param manifest: of the point that they should be; None when there was none yet.
    """

    def __init__(self, bucket: Bucket, manifest: Path | None, exclude: Sequence[str] = ()) -> None:
        self._bucket = bucket
        self._manifest = manifest
        self._exclude = Exclude(exclude)

    @property
    def label(self) -> str:
        """Its address, for messages."""
        return self._bucket.label

    def check(self) -> None:
        """Do nothing: a bucket is there, or each request says that it is not."""

    def list(self, begin: bytes = b"", end: bytes | None = None) -> Iterator[Entry]:
        """Yield what is there, in path order."""
        for entry in live_entries(self._bucket, self._manifest):
            left_out = self._exclude.matches(entry.path, is_folder=entry.kind is Kind.DIR)
            if begin <= entry.path and (end is None or entry.path < end) and not left_out:
                yield entry._replace(sha256=None, version=None)

    def fetch(self, entry: Entry, into: bytes) -> Entry | Missed:
        """Copy one object to a file."""
        return download(self._bucket, entry, into)


def live_entries(bucket: Bucket, manifest: Path | None, suspects: Collection[bytes] = ()) -> Iterator[Entry]:
    """Yield what is there with digest and version; the digest is None where nothing is known of the content.

    :param suspects: files that are read, however they look.
    """
    wanted = read_manifest(manifest) if manifest is not None else iter(())
    for path, entry, now in side_by_side(wanted, everything(bucket)):
        if entry is not None and entry.kind is not Kind.FILE:
            yield entry
        elif now is not None:
            yield _entry(bucket, path, entry, now, read=path in suspects)


def _entry(bucket: Bucket, path: bytes, wanted: Entry | None, now: Now, *, read: bool) -> Entry:
    found = Entry(path, Kind.FILE, now.size, mtime_ns(modified_ms(now.modified), now.etag), FILE_MODE)
    if wanted is not None and now.version == wanted.version and not read:
        return wanted
    if read:
        seen = digest(bucket, found)
        sha256 = None if isinstance(seen, Missed) else seen.entry.sha256
    else:
        looked = look(bucket, path)
        sha256 = looked.sha256 if looked is not None and looked.size == now.size else None
    if wanted is not None and sha256 is not None and (now.size, sha256) == (wanted.size, wanted.sha256):
        return wanted._replace(version=now.version)
    return found._replace(sha256=sha256, version=now.version)
