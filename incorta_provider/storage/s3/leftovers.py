"""Versions that nothing needs any more: not live, not named by a retained manifest, not staged by a run under way.

What we did not write stays: a version that somebody made by hand, or a service, may be the only copy. Ours are known by
the digest that stands beside the content.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.copying.work_pool import chunks
from incorta_provider.storage.manifest.manifest_file import read_manifest
from incorta_provider.storage.s3.bucket import Bucket
from incorta_provider.storage.s3.census import look
from incorta_provider.storage.s3.listing import Version, versions
from incorta_provider.storage.s3.objects import DELETE_KEYS, abort_uploads, delete_allowed
from incorta_provider.storage.s3.plan import inside
from incorta_provider.storage.s3.staging_log import all_logs

log = logging.getLogger(__name__)

_UPLOAD_TAKES = timedelta(days=1)
"""No upload of ours takes longer: one that is older belongs to a process that was killed."""

_SEPARATOR = b"\0"
"""Between key and version in the name of a place: no key has it."""


def leftovers(bucket: Bucket, catalog: Catalog, retained: Sequence[Path]) -> Iterator[tuple[bytes, int]]:
    """Yield each such version, as its place and its size in bytes; delete marks count as nothing.

    :raises PreconditionError: another replica lies inside of this one, whose versions would be nobody's; none of them
        was yielded, because its mark comes before them.
    """
    staged = {path for one in all_logs(catalog) for path in one.paths()}
    named = _Named(retained)
    for key, group in groupby(versions(bucket), key=lambda found: found.key):
        path, found = bucket.place.path(key), list(group)
        if path not in staged:
            wanted = named.at(path)
            if not wanted and bucket.place.is_mark_inside(key) and _is_there(found):
                raise inside(bucket, path)
            yield from ((key + _SEPARATOR + one.version, one.size) for one in _not_needed(bucket, path, found, wanted))


def _is_there(found: list[Version]) -> bool:
    return any(one.latest and not one.marker for one in found)


def _not_needed(bucket: Bucket, path: bytes, found: list[Version], wanted: list[Entry]) -> Iterator[Version]:
    """Yield the versions of one key that can go.

    Where a named version was lost and its content was fetched again, another version holds it: that one stays.
    """
    there = {one.version for one in found}
    needed = {entry.version for entry in wanted}
    lost = {entry.sha256 for entry in wanted if entry.version not in there}
    for one in found:
        if one.latest or one.version in needed:
            continue
        if one.marker or _is_spare(bucket, path, one.version, lost):
            yield one


def _is_spare(bucket: Bucket, path: bytes, version: bytes, lost: Collection[bytes | None]) -> bool:
    """Tell whether a version is ours and not what holds a lost content."""
    now = look(bucket, path, version)
    return now is not None and now.sha256 is not None and now.sha256 not in lost


class _Named:
    """What several manifests have at a path; asked in path order."""

    def __init__(self, manifests: Sequence[Path]) -> None:
        merged = heapq.merge(*(read_manifest(path) for path in manifests), key=lambda entry: entry.path)
        self._groups = groupby((one for one in merged if one.kind is Kind.FILE), key=lambda entry: entry.path)
        self._path: bytes | None = b""
        self._entries: list[Entry] = []

    def at(self, path: bytes) -> list[Entry]:
        """Return the files of a path that is not before the one asked for last."""
        while self._path is not None and self._path < path:
            self._path, entries = next(self._groups, (None, iter(())))
            self._entries = list(entries)
        return self._entries if self._path == path else []


def forget(bucket: Bucket, places: Iterator[bytes]) -> None:
    """Delete versions for good, and give up uploads in parts that no one finishes any more."""
    for some in chunks(places, DELETE_KEYS):
        found = [place.partition(_SEPARATOR) for place in some]
        for refused in delete_allowed(bucket, [(key, version) for key, _, version in found]):
            log.warning("a version stays for now: %s", refused)
    if count := abort_uploads(bucket, datetime.now(UTC) - _UPLOAD_TAKES):
        log.info("gave up %d upload(s) that were not finished", count)
