"""The lock of a protection group: one run at a time makes a recovery point or moves the active site.

The lock is a lasting node, not one that dies with a session: a run consists of many tasks with a session each. So a run
that died keeps it, visibly, with its name and age, until somebody takes it over by naming that very owner.

:raises TransientError: another run holds the lock; or see :mod:`incorta_provider.coordination.session`.
:raises IntegrityError: what stands in ZooKeeper is not a lock.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import AwareDatetime, ValidationError

from incorta_provider.coordination.session import Session
from incorta_provider.dr.frozen import FrozenModel
from incorta_provider.exceptions import IntegrityError, PreconditionError, TransientError

_ATTEMPTS = 5
"""How often the lock may change hands while one call looks at it."""


class LockOwner(FrozenModel):
    """Who holds a lock.

    :ivar run_id: the run, which is what owns it: any task of the run may take it again, and give it back.
    :ivar taken_at: when; of a holder the moment at which the lock was taken first.
    """

    run_id: str
    dag_id: str
    host: str
    purpose: str
    taken_at: AwareDatetime

    def in_words(self, now: datetime) -> str:
        """Return owner and age in words."""
        age = max(timedelta(0), timedelta(seconds=round((now - self.taken_at).total_seconds())))
        return f"run {self.run_id} of {self.dag_id} on {self.host} for {age} ({self.purpose})"


class GroupLock:
    """The lock at ``/incorta_dr/<group>/lock`` of one ensemble.

    A lock that was given back is an empty node, not an absent one: a node that is removed and made again counts its
    versions from 0, and a change that names a version could then hit the lock of somebody who came in between.
    """

    def __init__(self, session: Session, group: str) -> None:
        self._session = session
        self._path = f"/incorta_dr/{group}/lock"

    def holder(self) -> LockOwner | None:
        """Return who holds the lock; None when it is free."""
        return self._look()[0]

    def acquire(self, owner: LockOwner) -> LockOwner:
        """Take the lock and return the holder: a run that holds it already keeps it, with its first time."""
        for _ in range(_ATTEMPTS):
            holder, version = self._look()
            if holder is not None:
                if holder.run_id == owner.run_id:
                    return holder
                raise self._busy(holder, owner.taken_at)
            if self._write(owner.model_dump_json(), version):
                return owner
        raise self._unsettled()

    def take_over(self, owner: LockOwner, expected: str) -> LockOwner:
        """Take the lock from the run that is named, and from no other.

        :param expected: the run id of the holder that is known to be dead or to be stopped. That the lock is free
            meanwhile is as good.
        :raises PreconditionError: another run holds it; nothing was changed.
        """
        for _ in range(_ATTEMPTS):
            holder, version = self._look()
            if holder is not None and holder.run_id == owner.run_id:
                return holder
            if holder is not None and holder.run_id != expected:
                raise PreconditionError(
                    f"the lock is not held by run {expected} but by {holder.in_words(owner.taken_at)}",
                    where=self._path,
                    fix="Look at that run before you take its lock over.",
                )
            if self._write(owner.model_dump_json(), version):
                return owner
        raise self._unsettled()

    def release(self, run_id: str) -> bool:
        """Give the lock back; return False when another run holds it, which then keeps it."""
        for _ in range(_ATTEMPTS):
            holder, version = self._look()
            if holder is None:
                return True
            if holder.run_id != run_id:
                return False
            if self._write("", version):
                return True
        raise self._unsettled()

    def _look(self) -> tuple[LockOwner | None, int | None]:
        """Return the holder, and the version that a change must name: None when there is no node yet."""
        stored = self._session.read(self._path)
        if stored is None or not stored.value:
            return None, stored.version if stored else None
        try:
            return LockOwner.model_validate_json(stored.value), stored.version
        except ValidationError:
            raise IntegrityError(
                "the lock's node does not say who holds it",
                where=self._path,
                fix="Find out who wrote it, then empty that ZooKeeper node by hand.",
            ) from None

    def _write(self, text: str, version: int | None) -> bool:
        if version is None:
            return self._session.create(self._path, text.encode())
        return self._session.replace(self._path, text.encode(), version) is not None

    def _busy(self, holder: LockOwner, now: datetime) -> TransientError:
        return TransientError(
            f"the lock is held by {holder.in_words(now)}",
            where=self._path,
            fix=f"Wait for that run; if it is dead: `incorta-dr lock release --run {holder.run_id}`.",
        )

    def _unsettled(self) -> TransientError:
        return TransientError("the lock keeps changing hands", where=self._path, fix="Try again.")
