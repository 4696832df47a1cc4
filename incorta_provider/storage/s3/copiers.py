"""Bring batches of files into a bucket, each as a new version of its live key.

Between two buckets small objects are read and written again, with their digest on the way: that takes the server no
more work than a copy of its own, and a copy of its own would have to be read for its digest besides (numbers in
``docs/decisions/0013``). A large one is copied on the server where one server and one account hold both, and read only
for its digest, unless a digest of our own stands beside it, proven by its ETag.

:raises DrError: of each call: the first failure.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping

from incorta_provider.dr.manifest import Entry
from incorta_provider.storage.copying.proven import Proven
from incorta_provider.storage.copying.work_pool import Batch, Limits
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.local.copy import read_small
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.parquet_framing import framing_fault, framing_fault_of, is_parquet
from incorta_provider.storage.s3.answers import head_of
from incorta_provider.storage.s3.body_md5 import md5_of
from incorta_provider.storage.s3.bucket import Bucket, Request
from incorta_provider.storage.s3.crew import at_once, done_by_all
from incorta_provider.storage.s3.download import Fetched, digest, download, entry_of, read
from incorta_provider.storage.s3.facts import carried, of_entry, plain_md5, proven_sha256
from incorta_provider.storage.s3.lock import ObjectLock
from incorta_provider.storage.s3.memory import Memory
from incorta_provider.storage.s3.objects import SINGLE_BYTES, Written, copy, put, put_in_parts, tags
from incorta_provider.storage.s3.retention import protect
from incorta_provider.storage.s3.spool import Spool
from incorta_provider.storage.s3.staging_log import StagingLog
from incorta_provider.storage.tree import Missed, Tree

SMALL_BYTES = 8 * 1024 * 1024
"""Objects up to this size are held in memory."""

LIMITS = Limits(workers=4, batch_files=2_048, batch_bytes=256 * 1024 * 1024, helpers_from=1_000)
"""A batch is brought to the log with one sync of the disk, and at its end requests run out before the next one begins:
so it is larger than one of a mounted folder."""
_MEMORY = Memory(64 * 1024 * 1024)
"""For objects that are written in one request, whatever a batch holds; each helper process has its own."""
_TAGS = "x-amz-tagging-count"
_FOOTER_BYTES = 1024 * 1024


class Staging(ABC):
    """What every copier does: write down what comes, copy a batch with many requests at once, write down what came.

    Can be pickled.

    :param lock: what each new version is protected by.
    """

    limits = LIMITS
    spooled_above: int | None = None

    def __init__(self, target: Bucket, log: StagingLog, workspace: Workspace, lock: ObjectLock | None) -> None:
        self._target = target
        self._log = log
        self._workspace = workspace
        self._lock = lock

    def __call__(self, batch: Batch) -> list[Proven | Missed]:
        """Copy a batch, and return for each file what was copied, with its version.

        All of it is proven: see :mod:`incorta_provider.storage.s3.objects`.
        """
        for entry in batch:
            self._target.place.key(entry.path)
        self._log.intend(entry.path for entry in batch)
        outcomes = done_by_all(self._copy, batch, at_once(len(batch), sum(entry.size for entry in batch)))
        self._log.did(outcome.entry for outcome in outcomes if isinstance(outcome, Proven))
        return outcomes

    @abstractmethod
    def _copy(self, entry: Entry) -> Proven | Missed:
        """Copy one file."""

    def _put_bytes(self, entry: Entry, data: bytes, md5: bytes, headers: Mapping[str, str]) -> Proven:
        """Write a small file whose digests are known."""
        assert entry.sha256 is not None  # noqa: S101 - for the type
        own = {**headers, **of_entry(entry, entry.sha256, md5.hex()), **self._protection()}
        written = put(self._target, self._target.place.key(entry.path), data, md5, entry.sha256, own)
        return _proven(entry, written.version, framing_fault_of(data) if is_parquet(entry.path) else None)

    def _put_file(self, entry: Entry, path: bytes, headers: Mapping[str, str]) -> Proven:
        with open(path, "rb") as file:  # noqa: PTH123 - names are bytes
            if entry.size <= SINGLE_BYTES:
                with _MEMORY.holding(entry.size):
                    data = file.read()
                    return self._put_bytes(entry, data, md5_of(data), headers)
            assert entry.sha256 is not None  # noqa: S101 - for the type
            own = {**headers, **of_entry(entry, entry.sha256, None), **self._protection()}
            written = put_in_parts(
                self._target, self._target.place.key(entry.path), file, entry.size, entry.sha256, own
            )
            return _proven(entry, written.version, framing_fault(file.fileno()) if is_parquet(entry.path) else None)

    def _protection(self) -> dict[str, str]:
        return self._lock.headers() if self._lock else {}


class PutCopier(Staging):
    """From any source, by way of a file in the workspace's ``partial`` folder."""

    spooled_above = 0

    def __init__(
        self, source: Tree, target: Bucket, log: StagingLog, workspace: Workspace, lock: ObjectLock | None
    ) -> None:
        super().__init__(target, log, workspace, lock)
        self._source = source

    def _copy(self, entry: Entry) -> Proven | Missed:
        with Spool(self._workspace, entry.size) as spool:
            fetched = self._source.fetch(entry, spool.path)
            return fetched if isinstance(fetched, Missed) else self._put_file(fetched, spool.path, {})


class FolderCopier(PutCopier):
    """From a folder that is mounted here: small files go from memory, without a file between.

    :param source: lists the folder.
    """

    spooled_above = SMALL_BYTES

    def __init__(
        self, source: LocalTree, target: Bucket, log: StagingLog, workspace: Workspace, lock: ObjectLock | None
    ) -> None:
        super().__init__(source, target, log, workspace, lock)
        self._root = os.fsencode(source.root)

    def _copy(self, entry: Entry) -> Proven | Missed:
        found = self._copy_small(entry) if entry.size <= SMALL_BYTES else None
        return super()._copy(entry) if found is None else found

    def _copy_small(self, entry: Entry) -> Proven | Missed | None:
        """Copy a file from memory; None for one that is not small any more."""
        with _MEMORY.holding(entry.size):
            found = read_small(self._root, entry, SMALL_BYTES)
            if found is None or isinstance(found, Missed):
                return found
            settled, data = found
            return self._put_bytes(settled, data, md5_of(data), {})


class BucketCopier(Staging):
    """From another bucket, or another prefix.

    :param on_server: one server and one account hold both.
    """

    def __init__(
        self,
        source: Bucket,
        target: Bucket,
        log: StagingLog,
        workspace: Workspace,
        lock: ObjectLock | None,
        *,
        on_server: bool,
    ) -> None:
        super().__init__(target, log, workspace, lock)
        self._bucket = source
        self._on_server = on_server
        self.spooled_above = None if on_server else SMALL_BYTES

    def _copy(self, entry: Entry) -> Proven | Missed:
        if entry.size <= SMALL_BYTES:
            with _MEMORY.holding(entry.size):
                found = read(self._bucket, entry)
                if isinstance(found, Missed):
                    return found
                fetched, data = found
                return self._put_bytes(fetched.entry, data, fetched.md5, self._carried(fetched))
        return self._on_the_server(entry) if self._on_server else self._through_here(entry)

    def _through_here(self, entry: Entry) -> Proven | Missed:
        with Spool(self._workspace, entry.size) as spool:
            copied = download(self._bucket, entry, spool.path)
            if isinstance(copied, Missed):
                return copied
            head = head_of(self._bucket, self._bucket.place.key(entry.path))
            if isinstance(head, Missed):
                return head
            headers = self._carried(Fetched(copied, head.headers, head.etag))
            return self._put_file(copied, spool.path, headers)

    def _on_the_server(self, entry: Entry) -> Proven | Missed:
        source = self._bucket.place
        key = source.key(entry.path)
        found = self._with_digest(entry, key)
        if isinstance(found, Missed):
            return found
        copied = found.entry
        assert copied.sha256 is not None  # noqa: S101 - for the type
        own = of_entry(copied, copied.sha256, plain_md5(found.headers, found.etag))
        headers = {**self._carried(found), **own, **self._protection()}
        place = (source.bucket, key, None)
        written = copy(self._target, self._target.place.key(entry.path), place, copied.size, headers, found.etag)
        if written is None:
            return Missed.UNSETTLED
        if self._lock is not None:
            protect(self._target, self._target.place.key(entry.path), written.version, self._lock)
        return _proven(copied, written.version, self._framing(copied, written) if is_parquet(entry.path) else None)

    def _with_digest(self, entry: Entry, key: bytes) -> Fetched | Missed:
        head = head_of(self._bucket, key)
        if isinstance(head, Missed):
            return head
        known = proven_sha256(head.headers, head.etag)
        if known is None:
            return digest(self._bucket, entry)
        return Fetched(entry_of(entry, head.headers, head.etag)._replace(sha256=known), head.headers, head.etag)

    def _carried(self, fetched: Fetched) -> dict[str, str]:
        """Return the headers of the copy: the source's metadata, and its tags, which must be asked for."""
        headers = carried(fetched.headers)
        if fetched.headers.get(_TAGS, "0") != "0":
            headers["x-amz-tagging"] = tags(self._bucket, self._bucket.place.key(fetched.entry.path))
        return headers

    def _framing(self, entry: Entry, written: Written) -> str | None:
        """Look at the frame of a Parquet file that never came here: its ends are read into a file with a hole."""
        key, query = self._target.place.key(entry.path), {"versionId": written.version}
        footer = min(entry.size, _FOOTER_BYTES)
        with Spool(self._workspace, footer) as spool, open(spool.path, "w+b") as file:  # noqa: PTH123 - names are bytes
            file.truncate(entry.size)
            for first, last in ((0, 7), (entry.size - footer, entry.size - 1)):
                answer = self._target.send(Request("GET", key, query, {"range": f"bytes={first}-{last}"}))
                file.seek(first)
                file.write(answer.body)
            file.flush()
            return framing_fault(file.fileno())


def _proven(entry: Entry, version: bytes, framing: str | None) -> Proven:
    """Return the proof of a new version, which nothing can change: its time stands for that."""
    return Proven(entry._replace(version=version), changed_ns=1, framing=framing or "")
