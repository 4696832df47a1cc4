"""Roll the live replica forward to the sealed point.

The point is safe without it: a cutover applies what is pending. So a point that a newer one has overtaken is not
applied any more, and a change of roles since the run opened stops it before the first rename.

:raises FencingError: the epoch moved on.
:raises TransientError: another apply is under way.
"""

from __future__ import annotations

from incorta_provider.dr.epoch import ensure_epoch
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.exceptions import NothingToDo, PreconditionError
from incorta_provider.steps.replication.fenced import ensure_not_opened
from incorta_provider.steps.replication.run import ReplicationRun, RunRecord
from incorta_provider.steps.roles import role_at
from incorta_provider.storage.copying.early_flush import FLUSH_SECONDS
from incorta_provider.storage.target import ApplyReport


def apply(run: ReplicationRun) -> ApplyReport:
    """Apply the point that this run sealed."""
    with run.step("apply"):
        return run.watched("the apply", run.target.target.label, lambda: _apply_alone(run), at_least=FLUSH_SECONDS)


def _apply_alone(run: ReplicationRun) -> ApplyReport:
    """Apply with the lock held by who applies: one that hangs and was left behind keeps it until it ends."""
    with run.catalog.lock("apply"):
        point = _point(run)
        ensure_still_active(run, point)
        return run.target.target.apply(point.id)


def _point(run: ReplicationRun) -> RecoveryPoint:
    point = run.sealed()
    if point is None:
        raise PreconditionError(
            f"run {run.run_id} sealed no point", where=str(run.catalog.root), fix="Clear its seal task."
        )
    newest = run.catalog.newest()
    if newest is not None and newest.id != point.id and newest.opened_at > point.opened_at:
        raise NothingToDo(f"point {point.id} was overtaken by {newest.id}")
    return point


def ensure_still_active(run: ReplicationRun, begun: RunRecord | RecoveryPoint) -> None:
    """Refuse to write to the target when a cutover changed the roles since the run opened, or a person opened it."""
    ensure_epoch(begun.epoch, role_at(run.access, run.target), active=begun.source)
    ensure_not_opened(run.access, run.target, begun.epoch)
