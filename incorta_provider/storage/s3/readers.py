"""Read files of a bucket again: the live ones, and those that a run has staged.

:raises DrError: of each call, see :mod:`incorta_provider.storage.s3.faults`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from incorta_provider.dr.manifest import Entry
from incorta_provider.storage.copying.work_pool import Batch, Limits
from incorta_provider.storage.digests import Reading
from incorta_provider.storage.flow.throttle import handed_on
from incorta_provider.storage.s3.bucket import Bucket
from incorta_provider.storage.s3.census import exist
from incorta_provider.storage.s3.download import digest
from incorta_provider.storage.tree import Missed

_THREADS = 8


class ObjectReader:
    """Reads objects in full: the live ones, or where entries name versions, these; can be pickled.

    :param staged: read the versions.
    """

    limits = Limits(workers=4, helpers_from=1_000)

    def __init__(self, bucket: Bucket, *, staged: bool) -> None:
        self._bucket = bucket
        self._staged = staged

    def __call__(self, batch: Batch) -> list[Reading]:
        """Return what each file holds now."""
        with ThreadPoolExecutor(_THREADS) as threads:
            return list(threads.map(handed_on(self._read), batch))

    def _read(self, entry: Entry) -> Reading:
        found = digest(self._bucket, entry, entry.version if self._staged else None)
        if isinstance(found, Missed):
            return Reading(None)
        return Reading(found.entry.sha256, found.entry.size)


def gone(bucket: Bucket, batch: Batch) -> list[bytes]:
    """Return the paths of staged files whose versions are not there any more."""
    there = exist(bucket, {entry.path: entry.version for entry in batch if entry.version is not None})
    return [entry.path for entry in batch if entry.path not in there]
