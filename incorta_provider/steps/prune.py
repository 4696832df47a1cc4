"""Drop the recovery points of a site that its group's policy no longer wants: said first, done after.

:raises TransientError: an apply is under way, or another prune.
:raises PreconditionError: an apply was cut off.
:raises IntegrityError: what is retained cannot be told; nothing was deleted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from incorta_provider.dr.plan import StepName
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.dr.retention import Protected, Retention, Verdict, judge
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.point import newest_whole
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.records.cutover_folder import CutoverFolder
from incorta_provider.storage.records.pins import Pins
from incorta_provider.storage.records.rewritings import Rewritings
from incorta_provider.storage.vault.in_use import points_in_use
from incorta_provider.storage.vault.prune import (
    Dropping,
    Freed,
    drop,
    dropped,
    ensure_nothing_under_way,
    forget_bytes,
    manifests_that_go,
    manifests_that_stay,
    sweep,
)

log = logging.getLogger(__name__)

Tell = Callable[[str], None]


@dataclass(frozen=True)
class PruneReport:
    """What a prune did, or would do.

    :ivar verdicts: one for each point, oldest first.
    :ivar damaged: points whose record cannot be read; they stay, and so does what they need.
    :ivar files: kept files that only dropped points need, ``size`` bytes in all.
    :ivar rewrites: how many records of rewrites went, from before the oldest point that stays.
    :ivar spared: points that were to go, and that a person pinned while others went.
    :ivar done: False when it was only looked at.
    """

    verdicts: list[Verdict]
    damaged: dict[str, str] = field(default_factory=dict)
    files: int = 0
    size: int = 0
    rewrites: int = 0
    spared: tuple[Verdict, ...] = ()
    done: bool = False

    @property
    def dropped(self) -> list[Verdict]:
        """The points that go."""
        return [verdict for verdict in self.verdicts if not verdict.keep]

    def plan(self) -> Iterator[str]:
        """Yield in words what is to happen to each point."""
        yield from map(_in_words, self.verdicts)
        for point_id, fault in self.damaged.items():
            yield f"damaged {point_id}: {fault}; left alone"

    def lines(self) -> Iterator[str]:
        """Yield the report in words; of a prune that told its plan before, what came otherwise and the sums."""
        yield from map(_in_words, self.spared) if self.done else self.plan()
        verb = "deleted" if self.done else "would be deleted"
        yield f"{len(self.dropped)} of {len(self.verdicts)} point(s), {self.files} file(s), {self.size} bytes {verb}"
        if self.rewrites:
            yield f"{self.rewrites} record(s) of rewrites deleted, which were older than every point that stays"


def _in_words(verdict: Verdict) -> str:
    return f"{'keep' if verdict.keep else 'drop':7} {verdict.point_id}: {verdict.reason}"


def look(access: GroupAccess, site: SiteAccess) -> PruneReport:
    """Return what a prune would do; nothing is changed."""
    catalog = site.catalog
    with catalog.lock("apply"):
        report = _judged(access, catalog)
        go = [verdict.point_id for verdict in report.dropped]
        stay = manifests_that_stay(catalog, go)
        freed = Freed()
        gone = [catalog.manifest_path(point_id) for point_id in go] + manifests_that_go(catalog)
        for _ in freed.counted(site.target.leftovers(stay, gone)):
            pass
        return PruneReport(report.verdicts, report.damaged, freed.files, freed.size)


def prune(access: GroupAccess, site: SiteAccess, *, by: str, run_id: str, tell: Tell = log.info) -> PruneReport:
    """Drop what the policy does not want, and what a prune that was cut off left behind.

    :param by: the person, or the DAG when no person is involved.
    :param tell: gets what will happen to each point, line by line, before anything does.
    """
    catalog, freed = site.catalog, Freed()
    with catalog.lock("apply"):
        ensure_nothing_under_way(catalog)
        report = _judged(access, catalog)
        manifests_that_stay(catalog, [verdict.point_id for verdict in report.dropped])
        points = {point.id: point for point in catalog.points()}
        _tell(access, site, report, tell, by=by, run_id=run_id)
        verdicts = []
        for verdict in report.verdicts:
            act = partial(drop, catalog, points[verdict.point_id], reason=verdict.reason, by=by, run_id=run_id)
            verdicts.append(_dropped_unless_pinned(catalog, verdict, partial(act, at=access.clock())))
        for point, dropping in dropped(catalog):
            _note(access, site, point, dropping)
        forget_bytes(catalog, site.target, freed)
        sweep(catalog, site.target)
        rewrites = _forget_rewrites(catalog)
    spared = tuple(held for held, told in zip(verdicts, report.verdicts, strict=True) if held.keep and not told.keep)
    done = PruneReport(verdicts, report.damaged, freed.files, freed.size, rewrites, spared, done=True)
    log.info("%d recovery point(s) dropped, %d file(s) deleted", len(done.dropped), freed.files)
    return done


def _judged(access: GroupAccess, catalog: Catalog) -> PruneReport:
    now = access.clock()
    points = catalog.points()
    protected = Protected(
        live=catalog.live_point_id(),
        good=newest_whole(catalog, points),
        pins={pin.point: f"{pin.reason} (by {pin.by})" for pin in Pins(catalog).all()},
        in_use=points_in_use(catalog, now),
    )
    policy = access.config.retention or Retention()
    return PruneReport(judge(policy, points, now, protected), catalog.damaged())


def _tell(access: GroupAccess, site: SiteAccess, report: PruneReport, tell: Tell, *, by: str, run_id: str) -> None:
    """Say what goes before anything does, in the ledger too where it is anything."""
    for line in report.plan():
        tell(line)
    if report.dropped:
        now = access.clock()
        site.ledger.append(
            "prune.planned",
            at=now,
            key=f"prune.planned:{now.isoformat()}",
            group=access.name,
            run_id=run_id,
            actor=by,
            details={"drop": {verdict.point_id: verdict.reason for verdict in report.dropped}},
        )


def _dropped_unless_pinned(catalog: Catalog, verdict: Verdict, act: Callable[[], None]) -> Verdict:
    """Drop a point that is to go, and return the verdict that held: a person may have pinned it meanwhile."""
    if verdict.keep:
        return verdict
    pins = Pins(catalog)
    with pins.held():
        if (pin := pins.of(verdict.point_id)) is not None:
            return Verdict(verdict.point_id, True, f"pinned: {pin.reason} (by {pin.by})")
        act()
    return verdict


def _forget_rewrites(catalog: Catalog) -> int:
    """Remove the records of rewrites that were done before the oldest point; a cutover that may go back keeps its own.

    The values in them may be secret, and can be put back only as long as the metadata are the ones that were rewritten.
    """
    if not (points := catalog.points()):
        return 0
    folders = [folder for folder, _ in CutoverFolder.all(catalog.root) if not folder.is_closed()]
    results = [folder.result(StepName.REWRITE) or {} for folder in folders]
    return Rewritings(catalog).forget_before(points[0].opened_at, {str(each.get("rewrite_sha256")) for each in results})


def _note(access: GroupAccess, site: SiteAccess, point: RecoveryPoint, why: Dropping) -> None:
    site.ledger.append(
        "point.dropped",
        at=why.at,
        key=f"point.dropped:{point.id}",
        group=access.name,
        run_id=why.run_id,
        actor=why.by,
        details={
            "point": point.id,
            "reason": why.reason,
            "opened_at": point.opened_at.isoformat(),
            "sealed_by": point.run_id,
            "manifest_sha256": point.manifest_sha256,
        },
    )
