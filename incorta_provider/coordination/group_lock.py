"""The lock of a protection group: one run at a time makes a recovery point or moves the active site.

The lock is a lasting node, not one that dies with a session: a run consists of many tasks with a session each. So a run
that died keeps it, visibly, with its name and age, until somebody takes it over by naming that very owner.

:raises TransientError: another run holds the lock; or see :mod:`incorta_provider.coordination.session`.
:raises IntegrityError: what stands in ZooKeeper is no lock.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from incorta_provider.coordination.session import Session
from incorta_provider.exceptions import IntegrityError, PreconditionError, TransientError

_ATTEMPTS = 5
"""How often the lock may change hands while one call looks at it."""


class LockOwner(BaseModel):
    """Who holds a lock.

    :ivar run_id: the run, which is what owns it: any task of the run may take it again, and give it back.
    :ivar taken_at: when; of a holder the moment at which the lock was taken first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    dag_id: str
    host: str
    purpose: str
    taken_at: AwareDatetime

    def told(self, now: datetime) -> str:
        """Return owner and age in words."""
        age = max(timedelta(0), timedelta(seconds=round((now - self.taken_at).total_seconds())))
        return f"run {self.run_id} of {self.dag_id} on {self.host} for {age} ({self.purpose})"


class GroupLock:
    """The lock at ``/incorta_dr/<group>/lock`` of one ensemble."""

    def __init__(self, session: Session, group: str) -> None:
        self._session = session
        self._path = f"/incorta_dr/{group}/lock"

    def holder(self) -> LockOwner | None:
        """Return who holds the lock; None when it is free."""
        held = self._held()
        return held[0] if held else None

    def acquire(self, owner: LockOwner) -> LockOwner:
        """Take the lock and return the holder: a run that holds it already keeps it, with its first time."""
        for _ in range(_ATTEMPTS):
            if self._session.create(self._path, _serialised(owner)):
                return owner
            if (held := self._held()) is None:
                continue
            if held[0].run_id == owner.run_id:
                return held[0]
            raise self._busy(held[0], owner.taken_at)
        raise self._unsettled()

    def take_over(self, owner: LockOwner, expected: str) -> LockOwner:
        """Take the lock from the run that is named, and from no other.

        :param expected: the run id of the holder that is known to be dead or to be stopped. That the lock is free
            meanwhile is as good.
        :raises PreconditionError: another run holds it; nothing was changed.
        """
        for _ in range(_ATTEMPTS):
            if (held := self._held()) is None:
                if self._session.create(self._path, _serialised(owner)):
                    return owner
                continue
            holder, version = held
            if holder.run_id == owner.run_id:
                return holder
            if holder.run_id != expected:
                raise PreconditionError(
                    f"the lock is not held by run {expected} but by {holder.told(owner.taken_at)}",
                    where=self._path,
                    fix="Look at that run before you take its lock over.",
                )
            if self._session.replace(self._path, _serialised(owner), version) is not None:
                return owner
        raise self._unsettled()

    def release(self, run_id: str) -> bool:
        """Give the lock back; return False when another run holds it, which then keeps it."""
        for _ in range(_ATTEMPTS):
            if (held := self._held()) is None:
                return True
            holder, version = held
            if holder.run_id != run_id:
                return False
            if self._session.delete(self._path, version):
                return True
        raise self._unsettled()

    def _held(self) -> tuple[LockOwner, int] | None:
        stored = self._session.read(self._path)
        if stored is None:
            return None
        try:
            return LockOwner.model_validate_json(stored.value), stored.version
        except ValidationError:
            raise IntegrityError(
                "the lock's node does not say who holds it",
                where=self._path,
                fix="Find out who wrote it, then remove the node by hand.",
            ) from None

    def _busy(self, holder: LockOwner, now: datetime) -> TransientError:
        return TransientError(
            f"the lock is held by {holder.told(now)}",
            where=self._path,
            fix="Wait for that run; if it is dead, `incorta-dr lock take-over` takes the lock from it by name.",
        )

    def _unsettled(self) -> TransientError:
        return TransientError("the lock changes hands all the time", where=self._path, fix="Try again.")


def _serialised(owner: LockOwner) -> bytes:
    return owner.model_dump_json().encode()
