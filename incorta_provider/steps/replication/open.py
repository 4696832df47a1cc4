"""Open a run: the lock, the epoch at both ends, and the moment that the RPO counts from.

:raises NothingToDo: the target is the active site, this run sealed its point already, or a person let another run
    through the change breaker, which goes first.
:raises FencingError: the registries do not agree on which site is active, or the target was active and is not fenced.
:raises PreconditionError: a registry was never initialised, or the sites run different releases of Incorta.
:raises TransientError: a site cannot be reached, or other work holds the lock.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from incorta_provider.coordination.group_lock import GroupLock, LockOwner
from incorta_provider.coordination.zookeeper import connect
from incorta_provider.dr.recovery_point import RecoveryPoint, point_id
from incorta_provider.exceptions import DrError, FencingError, NothingToDo, PreconditionError
from incorta_provider.steps.access import SiteAccess
from incorta_provider.steps.incorta_release import incorta_release
from incorta_provider.steps.locking import CUTOVER, REPLICATION, give_back, hold
from incorta_provider.steps.replication.fenced import ensure_not_opened
from incorta_provider.steps.replication.guard import ensure_nobody_is_let_through, held_run
from incorta_provider.steps.replication.reprotect import reprotect
from incorta_provider.steps.replication.run import ReplicationRun, RunRecord
from incorta_provider.steps.replication.source import active_source

log = logging.getLogger(__name__)


def open_run(run: ReplicationRun) -> RunRecord:
    """Open the run, or go on with it when a former try opened it."""
    with run.step("open"):
        run.catalog.ensure_is(run.access.name, run.target.name)
        run.catalog.create()
        run.target.target.check()
        if (point := run.sealed()) is not None:
            raise NothingToDo(f"run {run.run_id} sealed recovery point {point.id} already")
        ensure_nobody_is_let_through(run)
        source, epoch = active_source(run.access, run.target)
        ensure_not_opened(run.access, run.target, epoch)
        release = _common_release(run, source)
        with _lock(run):
            run.catalog.discard_others(run.run_id, run.target.target.discard, held=held_run(run))
            return _resumed(run, epoch) or _opened(run, source, epoch, release)


@contextmanager
def _lock(run: ReplicationRun) -> Iterator[None]:
    """Take the group's lock, and give it back when the run does not open: no later task would do that.

    A lock that the run came with stays: a cutover that syncs holds it until its end.
    """
    taken = _take_lock(run)
    try:
        yield
    except BaseException:
        if taken:
            _give_back(run)
        raise


def _give_back(run: ReplicationRun) -> None:
    """A lock that cannot be given back must not hide what failed; the next run of the DAG takes it over."""
    try:
        give_back(run.access, run.target, run.run_id)
    except DrError as error:
        log.error("the lock could not be given back: %s", error)


def _take_lock(run: ReplicationRun) -> bool:
    """Take the lock, and return whether it is this run's to give back: a cutover came with its own."""
    owner = run.lock_owner

    def is_dead(holder: LockOwner) -> bool:
        return holder.purpose == REPLICATION and holder.dag_id == owner.dag_id

    with connect(run.target.zookeeper) as session:
        lock = GroupLock(session, run.access.name)
        holder = lock.holder()
        hold(lock, owner, run.note, supersedes=is_dead)
    return holder is None or (holder.run_id, holder.purpose) != (owner.run_id, CUTOVER)


def _resumed(run: ReplicationRun, epoch: int) -> RunRecord | None:
    record = run.recorded()
    if record is not None and record.epoch != epoch:
        raise FencingError(
            f"the run was opened under epoch {record.epoch}, now it is {epoch}",
            where=f"run {run.run_id}",
            fix="Let the next run start over.",
        )
    return record


def _opened(run: ReplicationRun, source: SiteAccess, epoch: int, release: str) -> RunRecord:
    adopted = reprotect(run, source, epoch)  # before the clock of the RPO starts, because it may take hours
    opened_at = run.access.clock()
    newest = run.catalog.newest()
    _ensure_clock_moves_on(newest, opened_at)
    record = RunRecord(
        run_id=run.run_id,
        point_id=point_id(opened_at, run.run_id),
        opened_at=opened_at,
        source=source.name,
        epoch=epoch,
        previous=newest.id if newest else None,
        adopted=adopted,
        incorta_version=release,
    )
    run.save(record)
    log.info(
        "opened %s from %s under epoch %d, after %s", record.point_id, source.name, epoch, record.previous or "nothing"
    )
    return record


def _ensure_clock_moves_on(newest: RecoveryPoint | None, now: datetime) -> None:
    """Points are ordered by time: one that lies in the future would stay the newest whatever is sealed after it."""
    if newest is not None and now < newest.sealed_at:
        raise PreconditionError(
            f"it is {now:%Y-%m-%d %H:%M:%S} UTC here, and recovery point {newest.id} was sealed at "
            f"{newest.sealed_at:%Y-%m-%d %H:%M:%S} UTC",
            where="clock of this worker",
            fix="Set the worker's clock. If the point's time is wrong, replication continues once it has passed.",
        )


def _common_release(run: ReplicationRun, source: SiteAccess) -> str:
    """Both sites must run the same release: metadata of one release may not start under another."""
    at_source, at_target = incorta_release(source), incorta_release(run.target)
    if at_source != at_target:
        raise PreconditionError(
            f"Incorta is {at_source} at {source.name} and {at_target} at {run.target.name}",
            where=f"group {run.access.name}",
            fix="Bring both sites to the same release.",
        )
    return at_source
