"""A versioned bucket as a target: a staged object is the newest version of its live key, and no version is lost.

So sealing needs no copy, rolling forward touches only keys that moved, and rolling back copies versions on the server.
The manifest names the version of each file. What that means between staging and apply: a key may show what is not
sealed yet. Each such key is written down before it is staged (:mod:`~incorta_provider.storage.s3.staging_log`), and an
apply, also that of a cutover, brings it to its point.

:raises DrError: of every call, see :mod:`incorta_provider.storage.s3.faults`.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from incorta_provider.dr.manifest import Entry
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.copying.work_pool import Batch
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.manifest.manifest_file import ManifestWriter, select
from incorta_provider.storage.s3.apply import S3Apply, rehearse
from incorta_provider.storage.s3.bucket import Bucket
from incorta_provider.storage.s3.copiers import BucketCopier, FolderCopier, PutCopier
from incorta_provider.storage.s3.leftovers import forget, leftovers
from incorta_provider.storage.s3.live import LiveTree, live_entries
from incorta_provider.storage.s3.lock import ObjectLock
from incorta_provider.storage.s3.objects import delete_allowed
from incorta_provider.storage.s3.owner import Owner
from incorta_provider.storage.s3.readers import ObjectReader, gone
from incorta_provider.storage.s3.settings import ensure_fit
from incorta_provider.storage.s3.staging_log import all_logs, log_of
from incorta_provider.storage.s3.tree import S3Tree
from incorta_provider.storage.target import ApplyReport, Copier
from incorta_provider.storage.tree import Tree
from incorta_provider.storage.volume import AreaReader

log = logging.getLogger(__name__)

_SHOWN = 20


class S3Target:
    """The live keys below a prefix, with their records in ``catalog``.

    :param lock: what each new version is protected by; None for nothing.
    """

    looks_at_once = 4
    """A look is a listing of a page, which the server reads and the worker waits for."""

    def __init__(self, bucket: Bucket, catalog: Catalog, lock: ObjectLock | None = None) -> None:
        self.bucket = bucket
        self._catalog = catalog
        self._lock = lock
        self._apply = S3Apply(catalog, bucket, lock)
        self._owner = Owner(bucket, catalog)

    @property
    def label(self) -> str:
        """Its address, for messages."""
        return self.bucket.label

    def initialise(self) -> None:
        """Look at the bucket, which a person makes, with versioning on, and mark the prefix as this catalog's."""
        ensure_fit(self.bucket, self._lock)
        self._owner.take()

    def check(self) -> None:
        """Refuse a bucket that is not there, keeps no versions, or cannot lock objects where that is asked for.

        A prefix that is another catalog's replica, or lies in one, is refused too; one that nobody's mark is on becomes
        this one's.
        """
        ensure_fit(self.bucket, self._lock)
        self._owner.claim()

    def ensure_room(self, *, size: int, files: int) -> None:
        """Do nothing: a bucket does not say what it has room for; one that is full refuses an object by its quota."""

    def copier(self, source: Tree, workspace: Workspace) -> Copier:
        """Return what copies from any source into new versions."""
        log_file = log_of(self._catalog, workspace)
        if isinstance(source, S3Tree):
            on_server = source.bucket.access.is_same_identity(self.bucket.access)
            return BucketCopier(source.bucket, self.bucket, log_file, workspace, self._lock, on_server=on_server)
        if isinstance(source, LocalTree) and type(source).fetch is LocalTree.fetch:
            return FolderCopier(source, self.bucket, log_file, workspace, self._lock)
        return PutCopier(source, self.bucket, log_file, workspace, self._lock)

    def staged_reader(self, workspace: Workspace) -> AreaReader:
        """Return what reads staged versions again."""
        return ObjectReader(self.bucket, staged=True)

    def touched(self, workspace: Workspace, batch: Batch, _: Sequence[int] = (), /) -> list[bytes]:
        """Return which staged versions are not there any more."""
        return gone(self.bucket, batch)

    def flush(self, workspace: Workspace) -> None:
        """Do nothing: an object that was acknowledged is stored."""

    def discard(self, workspace: Workspace) -> None:
        """Delete the versions that a run staged, which shows the ones before them; those of sealed points stay.

        What the run wrote and could not write down any more, and what Object Lock protects, stays in its log: the next
        apply takes these keys back.
        """
        staged = log_of(self._catalog, workspace)
        own = set(staged.versions())
        for point in self._catalog.points():
            if not own:
                break
            named = select(self._catalog.manifest_path(point.id), sorted({path for path, _ in own}))
            own -= {(entry.path, entry.version) for entry in named if entry.version is not None}
        self._delete_allowed(sorted(own))

    def live(self, exclude: Sequence[str] = ()) -> Tree:
        """Return the live keys as a tree, with the times and modes of the point that they should be."""
        return LiveTree(self.bucket, self._live_manifest(), exclude)

    def live_reader(self) -> AreaReader:
        """Return what reads live objects."""
        return ObjectReader(self.bucket, staged=False)

    def waiting(self) -> set[bytes]:
        """Return the live keys that runs wrote to since the last apply, which the next one settles."""
        return {path for one in all_logs(self._catalog) for path in one.paths()}

    def find_out(self, path: Path, point_id: str, suspects: Collection[bytes] = ()) -> None:
        """Write a manifest of what the live keys are to ``path``, whatever their record says."""
        with ManifestWriter(path) as writer:
            writer.extend(live_entries(self.bucket, self._catalog.manifest_path(point_id), suspects))

    def apply(self, point_id: str, *, suspects: Collection[bytes] | None = None) -> ApplyReport:
        """Make the live keys the point; an apply that was cut off before is finished first."""
        self._refuse_foreign()
        return self._apply.apply(point_id, suspects)

    def rehearse(self, point_id: str, found: Path | None) -> None:
        """Plan an apply to the end and do nothing."""
        self._refuse_foreign()
        rehearse(self.bucket, self._catalog.manifest_path(point_id), found)

    def leftovers(self, retained: Sequence[Path], dropped: Sequence[Path]) -> Iterator[tuple[bytes, int]]:
        """Yield each version of ours that is neither live nor retained nor staged by a run under way.

        In a prefix of another catalog that would be all that it retains.
        """
        self._owner.ensure_apart()
        return leftovers(self.bucket, self._catalog, retained)

    def forget(self, places: Iterator[bytes]) -> None:
        """Delete for good what :meth:`leftovers` named; what Object Lock protects stays until its day."""
        forget(self.bucket, places)

    def keep_records(self, point_id: str) -> None:
        """Do nothing: the catalog, a mounted folder, is the only place of the records."""

    def drop_records(self, point_id: str) -> None:
        """Do nothing: there is no copy."""

    def holds_staged(self, point: RecoveryPoint) -> bool:
        """Tell that no files of a point lie anywhere but in the versions of the bucket."""
        return False

    def mend(self, workspace: Workspace, entries: Sequence[Entry]) -> None:
        """Let what was staged stay: it is the newest version of its live key already. The rest of it goes."""
        staged = log_of(self._catalog, workspace)
        kept = {entry.path for entry in entries}
        rest = [(path, version) for path, version in staged.versions() if path not in kept]
        refused = self._delete_allowed(rest)
        staged.remove()
        if refused:
            staged.intend(path for path, _ in rest)

    def _refuse_foreign(self) -> None:
        """Refuse another catalog's prefix; a right that is missing for that holds up no cutover: each run asks, too."""
        try:
            self._owner.ensure_not_foreign()
        except ConfigurationError as error:
            log.warning("whose replica this is was not asked: %s", error)

    def _delete_allowed(self, versions: Sequence[tuple[bytes, bytes]]) -> bool:
        """Delete versions, and tell whether the server keeps some of them for now: that must not hold up a run."""
        key = self.bucket.place.key
        refused = delete_allowed(self.bucket, [(key(path), version) for path, version in versions])
        if refused:
            log.warning("%d given-up version(s) stay for now: %s", len(refused), ", ".join(refused[:_SHOWN]))
        return bool(refused)

    def _live_manifest(self) -> Path | None:
        point_id = self._catalog.live_point_id()
        return self._catalog.manifest_path(point_id) if point_id is not None else None
