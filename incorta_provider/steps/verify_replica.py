"""Compare the live replica of a site with the point that it is, report what differs, and repair it on demand.

It runs beside replication: reading everything takes longer than the pause between two applies. What looks different is
looked at again with the catalog's lock held, against the point that the replica is by then; only that counts.

:raises NothingToDo: nothing was applied yet, or services ran on the replica, so that it is not a point any more.
:raises IntegrityError: the point's manifest is damaged, the replica holds what no point can (a special file, a link out
    of it), or a file could not be repaired.
:raises PreconditionError: a repair of a site that is active, or where Incorta runs.
:raises TransientError: an apply took too long, or was cut off and is not finished.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

from incorta_provider.dr.manifest import Entry, shown
from incorta_provider.dr.sampling import slot_of, slots
from incorta_provider.exceptions import NothingToDo, TransientError
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.point import ensure_digest
from incorta_provider.steps.repair import repair_replica
from incorta_provider.storage.apply.actual import is_diverged
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.records.verified_file import SHOWN, Findings, Verified, last_verified, save_verified
from incorta_provider.storage.verify import VerifyReport, verify_replica

log = logging.getLogger(__name__)

LOCK_WAIT = 600.0
"""Seconds to wait for an apply to end: far longer than one takes."""

_PAUSE = 1.0
_START = datetime(1970, 1, 1, tzinfo=UTC)


def verify(
    access: GroupAccess,
    site: SiteAccess,
    *,
    by: str,
    run_id: str,
    sample_days: int | None = None,
    repair: bool = False,
) -> Verified:
    """Compare names, sizes, times and the digests that are due, and return the outcome.

    :param sample_days: read enough files that all have been read within this number of days; 1 reads all, None none.
    :param repair: bring back what differs.
    """
    started = time.monotonic()
    catalog = site.catalog
    point = _live(catalog)
    sample = _Sample(sample_days, (access.clock() - _START).days, last_verified(catalog))
    found = left = _compare(access, site, point, sample)
    if not found.equal:
        with _at_rest(catalog):
            point = _live(catalog)
            found = left = _compare(access, site, point, _among(found.different))
            if repair and not found.equal:
                repair_replica(access, site, point, found)
                left = _compare(access, site, point, _among({*found.different, *found.missing}))
    outcome = Verified(
        at=access.clock(),
        point=point,
        files=found.files,
        bytes=found.bytes,
        read_files=sample.files,
        read_bytes=sample.size,
        found=_findings(found),
        left=_findings(left),
        repaired=repair and not found.equal,
        waiting=found.waiting,
        seconds=round(time.monotonic() - started, 3),
        day=sample.day,
        sample_days=sample.days,
    )
    save_verified(catalog, outcome)
    _note(access, site, outcome, by=by, run_id=run_id)
    return outcome


class _Sample:
    """Chooses the files whose digests are due, and counts them.

    :ivar day: the day up to which samples are read once this one is; that of the last one when this reads none.
    """

    def __init__(self, days: int | None, today: int, last: Verified | None) -> None:
        self.files = 0
        self.size = 0
        self.days = days or (last.sample_days if last else None)
        self.day: int | None = today if days else last.day if last else None
        same = last is not None and last.sample_days == days
        self._due = slots(today, days, last.day if last and same else None) if days else frozenset()

    def __call__(self, entry: Entry) -> bool:
        """Tell whether a file is read."""
        if self.days is None or slot_of(entry.path, self.days) not in self._due:
            return False
        self.files += 1
        self.size += entry.size
        return True


def _among(paths: Collection[bytes]) -> Callable[[Entry], bool]:
    known = frozenset(paths)
    return lambda entry: entry.path in known


def _live(catalog: Catalog) -> str:
    """Return the point that the replica is."""
    live = catalog.live_point_id()
    if live is None:
        raise NothingToDo("no recovery point was applied yet: there is nothing to compare")
    if is_diverged(catalog):
        raise NothingToDo(f"services ran on the replica since it was {live}: it is not a recovery point any more")
    return live


def _compare(access: GroupAccess, site: SiteAccess, point: str, chosen: Callable[[Entry], bool]) -> VerifyReport:
    """Compare once; what runs replicate in place meanwhile is asked afterwards, because they say so before they do."""
    catalog = site.catalog
    manifest = catalog.manifest_path(point)
    if point not in catalog.damaged():
        ensure_digest(manifest, catalog.get(point).manifest_sha256)
    exclude = access.config.replication.exclude
    target = site.target
    report = verify_replica(target, manifest, deep=False, exclude=exclude, chosen=chosen)
    return report if report.equal else report.without(target.waiting())


@contextmanager
def _at_rest(catalog: Catalog) -> Iterator[None]:
    """Hold the lock of applies; wait for the one that is under way."""
    deadline = time.monotonic() + LOCK_WAIT
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(catalog.lock("apply"))
                break
            except TransientError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(_PAUSE)
        if catalog.journal.exists():
            raise TransientError(
                "an apply was cut off and is not finished, so the replica is between two points",
                where=str(catalog.journal),
                fix="The next replication run finishes it; then compare again.",
            )
        yield


def _findings(report: VerifyReport) -> Findings:
    kinds = {"missing": report.missing, "different": report.different, "unexpected": report.unexpected}
    names = [f"{what}: {shown(path)}" for what, paths in kinds.items() for path in paths[:SHOWN]]
    counts = {what: len(paths) for what, paths in kinds.items()}
    return Findings(**counts, names=tuple(names[:SHOWN]))


def _note(access: GroupAccess, site: SiteAccess, outcome: Verified, *, by: str, run_id: str) -> None:
    event = "replica.verified" if not outcome.found.total else "replica.drift"
    details = outcome.model_dump(mode="json", exclude={"at", "day"})
    if outcome.repaired:
        event = "replica.repaired"
    site.ledger.append(
        event,
        at=outcome.at,
        key=f"{event}:{outcome.at.isoformat()}",
        group=access.name,
        run_id=run_id,
        actor=by,
        details=details,
    )
    for name in outcome.found.names:
        log.warning("%s", name)
    log.info("%s", outcome.in_words())
