"""A cutover holds the group's lock: it is taken from whoever has it, because a cutover waits for no other work."""

from __future__ import annotations

from incorta_provider.coordination.group_lock import GroupLock
from incorta_provider.coordination.session import Session
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.locking import CUTOVER, hold, lock_owner


def take_lock(run: CutoverRun, session: Session) -> None:
    """Take the lock at the target. Work that held it is refused at its next step; the take-over is in the ledger."""
    owner = lock_owner(run.access, run_id=run.run_id, actor=run.actor, purpose=CUTOVER)
    hold(GroupLock(session, run.access.name), owner, run.note, supersedes=lambda _: True)
