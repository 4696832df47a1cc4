"""Hold the group's lock at the target site, and take it over from work that cannot go on.

A lock never blocks forever. A replication DAG has one active run at a time, so a lock of an older run of the same DAG
is a dead run's. A cutover takes over from anyone, because the new epoch stops all other work. Every take-over stands in
the ledger, by name.

:raises TransientError: the lock is held by work that must be waited for.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from incorta_provider.coordination.group_lock import GroupLock, LockOwner
from incorta_provider.coordination.zookeeper import connect
from incorta_provider.exceptions import PreconditionError
from incorta_provider.steps.access import GroupAccess, SiteAccess

REPLICATION = "replication"
CUTOVER = "cutover"

Note = Callable[[str, str, dict[str, Any]], None]
"""Writes a line to the ledger: event, key, details."""


def lock_owner(access: GroupAccess, *, run_id: str, actor: str, purpose: str) -> LockOwner:
    """Return the owner that this run appears as."""
    return LockOwner(run_id=run_id, dag_id=actor, host=socket.gethostname(), purpose=purpose, taken_at=access.clock())


def hold(lock: GroupLock, owner: LockOwner, note: Note, *, supersedes: Callable[[LockOwner], bool]) -> None:
    """Take the lock; from its holder when ``supersedes`` says that the holder is dead or to be stopped."""
    holder = lock.holder()
    if holder is None or holder.run_id == owner.run_id or not supersedes(holder):
        lock.acquire(owner)
        return
    lock.take_over(owner, expected=holder.run_id)
    note(
        "lock.taken_over",
        f"lock:{holder.run_id}:{holder.taken_at.isoformat()}",
        {"from_run": holder.run_id, "from_dag": holder.dag_id, "held_since": holder.taken_at.isoformat()},
    )


def keep(access: GroupAccess, site: SiteAccess, owner: LockOwner) -> None:
    """See to it that this run holds the lock still; one that was given back in between is taken again.

    :raises TransientError: another run holds it by now.
    """
    with connect(site.zookeeper) as session:
        GroupLock(session, access.name).acquire(owner)


def give_back(access: GroupAccess, site: SiteAccess, run_id: str) -> bool:
    """Release the lock of this run; return False when another run holds it."""
    with connect(site.zookeeper) as session:
        return GroupLock(session, access.name).release(run_id)


def release_dead(access: GroupAccess, site: SiteAccess, run_id: str, *, by: str) -> None:
    """Release the lock of a run that a person knows to be dead, and write that into the ledger.

    :raises PreconditionError: another run holds the lock, or none does; nothing is changed.
    """
    with connect(site.zookeeper) as session:
        lock = GroupLock(session, access.name)
        holder = lock.holder()
        if holder is None or holder.run_id != run_id or not lock.release(run_id):
            found = "nobody" if holder is None else holder.in_words(access.clock())
            raise PreconditionError(
                f"run {run_id} does not hold the lock; it is held by {found}",
                where=f"ZooKeeper of site {site.name}",
                fix="Nothing was changed; `incorta-dr status` shows the holder.",
            )
    site.ledger.append(
        "lock.released",
        at=access.clock(),
        key=f"lock:{run_id}:{holder.taken_at.isoformat()}:released",
        group=access.name,
        run_id=run_id,
        actor=by,
        details={"held_by_dag": holder.dag_id, "held_since": holder.taken_at.isoformat(), "host": holder.host},
    )


def lock_holder(access: GroupAccess, site: SiteAccess) -> LockOwner | None:
    """Return who holds the lock at a site; None when it is free."""
    with connect(site.zookeeper) as session:
        return GroupLock(session, access.name).holder()
