"""Make the live keys of a bucket a recovery point: plan, journal, and from then on only forward.

Each step can be done again: a version that is copied over twice is the same content in one more version, which the
next prune removes, and a key that is deleted twice has two marks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from incorta_provider.dr.manifest import shown
from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.apply.actual import forget_divergence, is_diverged
from incorta_provider.storage.apply.redo_journal import Header, RedoJournal, Step, Verb
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.copying.work_pool import chunks
from incorta_provider.storage.faults import translated
from incorta_provider.storage.flow.throttle import alive, handed_on
from incorta_provider.storage.manifest.manifest_file import read_totals
from incorta_provider.storage.s3.bucket import Bucket, Request
from incorta_provider.storage.s3.facts import MD5, MODE, MTIME_NS, SHA256, carried
from incorta_provider.storage.s3.lock import ObjectLock
from incorta_provider.storage.s3.objects import DELETE_KEYS, copy, delete, is_copied_in_parts
from incorta_provider.storage.s3.plan import S3Plan, moved_files
from incorta_provider.storage.s3.retention import protect
from incorta_provider.storage.s3.staging_log import StagingLog, all_logs
from incorta_provider.storage.target import ApplyReport

log = logging.getLogger(__name__)

_THREADS = 8


class _VersionGoneError(IntegrityError):
    """A version that a step copies was there when the step was planned, and is not any more."""


@dataclass(frozen=True, slots=True)
class S3Apply:
    """The applies of one bucket with its catalog."""

    catalog: Catalog
    bucket: Bucket
    lock: ObjectLock | None

    def apply(self, point_id: str, suspects: Collection[bytes] | None) -> ApplyReport:
        """Make the live keys the point; an apply that was cut off before is finished first."""
        started = time.monotonic()
        catalog = self.catalog
        catalog.get(point_id)
        with translated(str(catalog.root)):
            journal = RedoJournal(catalog.journal)
            if not self._finish(journal):
                suspects = suspects or ()
            logs = all_logs(catalog)
            moved, removed = self._towards(point_id, journal, logs, suspects)
            kept = read_totals(catalog.manifest_path(point_id)).files - moved
        return ApplyReport(moved, removed, kept, time.monotonic() - started)

    def _finish(self, journal: RedoJournal) -> bool:
        """Finish an apply that was cut off; tell whether the live keys are what their record says.

        They are not where a version is gone that it needs. Its journal stays then until the next one takes its place,
        which is planned from what is in the bucket: to another point there may be a way.
        """
        if (cut_off := journal.header()) is None:
            return True
        log.warning("finishing the apply of %s, which was cut off", cut_off.target)
        try:
            self._execute(journal, cut_off, logs=[])
        except _VersionGoneError as error:
            log.warning("the apply of %s cannot be finished: %s", cut_off.target, error)
            return False
        return True

    def _towards(
        self, point_id: str, journal: RedoJournal, logs: list[StagingLog], suspects: Collection[bytes] | None
    ) -> tuple[int, int]:
        catalog = self.catalog
        record = catalog.live_point_id()
        look = suspects is not None or record is None or is_diverged(catalog)
        if not look and record == point_id and not logs:
            return 0, 0
        manifest = catalog.manifest_path(point_id)
        known = catalog.manifest_path(record) if record is not None else None
        touched = {path for one in logs for path in one.paths()}
        plan = S3Plan(self.bucket, manifest, None if look else known, touched, suspects or ())
        header = Header(record, point_id, "")
        journal.write(header, plan.steps())
        repaired = self._execute(journal, header, logs)
        moved, removed = moved_files(known, manifest)
        return max(moved, repaired), removed

    def _execute(self, journal: RedoJournal, header: Header, logs: list[StagingLog]) -> int:
        """Do all steps, make the point the live one, and return how many versions were copied over."""
        placed = 0
        with ThreadPoolExecutor(_THREADS) as threads:
            for steps in chunks(journal.steps(), DELETE_KEYS):
                places = [step for step in steps if step.verb is Verb.PLACE]
                placed += len(places)
                list(threads.map(handed_on(self._place), places))
                key = self.bucket.place.key
                delete(self.bucket, [(key(step.path), None) for step in steps if step.verb is Verb.REMOVE])
                alive()
        self.catalog.set_live(header.target)
        forget_divergence(self.catalog)
        for one in logs:
            if not self._is_under_way(one):
                one.remove()
        journal.remove()
        return placed

    def _place(self, step: Step) -> None:
        """Copy the named version over the newest one; ``mode`` of the step is the file's size."""
        key, size = self.bucket.place.key(step.path), step.mode
        source = (self.bucket.place.bucket, key, step.source)
        if self.lock is None and not is_copied_in_parts(size):
            written = copy(self.bucket, key, source, size)
        else:
            head = self.bucket.send(Request("HEAD", key, {"versionId": step.source}))
            own = {name: head.headers[name] for name in (SHA256, MD5, MTIME_NS, MODE) if name in head.headers}
            protection = self.lock.headers() if self.lock else {}
            written = copy(self.bucket, key, source, size, {**carried(head.headers), **own, **protection})
        if written is None:
            raise _VersionGoneError(
                f"a version of {shown(step.path)} is not in the bucket any more",
                where=self.bucket.label,
                fix="Apply another recovery point; check whether a lifecycle rule removes versions.",
            )
        if self.lock is not None:
            protect(self.bucket, key, written.version, self.lock)

    def _is_under_way(self, one: StagingLog) -> bool:
        """Tell whether the run may stage more: its workspace is there still."""
        return (self.catalog.root / "workspaces" / one.run).exists()


def rehearse(bucket: Bucket, manifest: Path, found: Path | None) -> None:
    """Plan to the end and do nothing."""
    for _ in S3Plan(bucket, manifest, found).steps():
        pass
