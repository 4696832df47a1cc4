"""Versions that nothing needs any more: not live, not named by a retained manifest, not staged by a run under way.

What we did not write stays: a version that somebody made by hand, or a service, may be the only copy. Ours are known by
the digest that stands beside the content.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.manifest_file import read_manifest
from incorta_provider.storage.s3.bucket import Bucket
from incorta_provider.storage.s3.census import look
from incorta_provider.storage.s3.listing import versions
from incorta_provider.storage.s3.objects import DELETE_KEYS, abort_uploads, delete_allowed
from incorta_provider.storage.s3.staging_log import all_logs
from incorta_provider.storage.work_pool import chunks

log = logging.getLogger(__name__)

_UPLOAD_TAKES = timedelta(days=1)
"""No upload of ours takes longer: one that is older belongs to a process that was killed."""

_SEPARATOR = b"\0"
"""Between key and version in the name of a place: no key has it."""


def leftovers(bucket: Bucket, catalog: Catalog, retained: Sequence[Path]) -> Iterator[tuple[bytes, int]]:
    """Yield each such version, as its place and its size in bytes; delete marks count as nothing."""
    staged = {path for one in all_logs(catalog) for path in one.paths()}
    merged = heapq.merge(*(read_manifest(path) for path in retained), key=lambda entry: entry.path)
    named = groupby(merged, key=lambda entry: entry.path)
    path, kept = next(named, (None, iter(())))
    needed = {entry.version for entry in kept}
    for found in versions(bucket):
        own = bucket.place.path(found.key)
        while path is not None and path < own:
            path, kept = next(named, (None, iter(())))
            needed = {entry.version for entry in kept}
        if found.latest or own in staged or (path == own and found.version in needed):
            continue
        if not found.marker and not _is_ours(bucket, own, found.version):
            continue
        yield found.key + _SEPARATOR + found.version, found.size


def _is_ours(bucket: Bucket, path: bytes, version: bytes) -> bool:
    found = look(bucket, path, version)
    return found is not None and found.sha256 is not None


def forget(bucket: Bucket, places: Iterator[bytes]) -> None:
    """Delete versions for good, and give up uploads in parts that no one finishes any more."""
    for some in chunks(places, DELETE_KEYS):
        found = [place.partition(_SEPARATOR) for place in some]
        for refused in delete_allowed(bucket, [(key, version) for key, _, version in found]):
            log.warning("a version stays for now: %s", refused)
    if count := abort_uploads(bucket, datetime.now(UTC) - _UPLOAD_TAKES):
        log.info("gave up %d upload(s) that were not finished", count)
