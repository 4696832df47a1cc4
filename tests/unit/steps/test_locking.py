from __future__ import annotations

from typing import Any

import pytest

from incorta_provider.coordination.group_lock import LockOwner
from incorta_provider.exceptions import PreconditionError, TransientError
from incorta_provider.steps.locking import CUTOVER, REPLICATION, give_back, hold, lock_holder, lock_owner, release_dead
from tests.builders.group import NOON, Bench, owner


class Lines:
    """What was noted, each key once, as the ledger keeps it."""

    def __init__(self) -> None:
        self.by_key: dict[str, tuple[str, dict[str, Any]]] = {}

    def note(self, event: str, key: str, details: dict[str, Any]) -> None:
        self.by_key.setdefault(key, (event, details))


def never(_: LockOwner) -> bool:
    return False


def always(_: LockOwner) -> bool:
    return True


def test_an_owner_carries_who_for_what_and_when(bench: Bench) -> None:
    made = lock_owner(bench.access, run_id="r1", actor="dag replicate", purpose=REPLICATION)
    assert (made.run_id, made.dag_id, made.purpose, made.taken_at) == ("r1", "dag replicate", "replication", NOON)


def test_a_free_lock_is_taken_without_a_line(bench: Bench) -> None:
    lines, lock = Lines(), bench.ensembles.lock("newyork")
    hold(lock, owner("r1"), lines.note, supersedes=always)
    assert lock.holder() == owner("r1")
    assert lines.by_key == {}


def test_a_holder_that_is_not_superseded_is_waited_for(bench: Bench) -> None:
    lines, lock = Lines(), bench.ensembles.lock("newyork")
    lock.acquire(owner("r1"))
    with pytest.raises(TransientError, match="held by run r1 of dag replicate on worker-1"):
        hold(lock, owner("r2"), lines.note, supersedes=never)
    assert lock.holder() == owner("r1")
    assert lines.by_key == {}


def test_the_own_lock_is_kept_and_never_asked_about(bench: Bench) -> None:
    lines, lock = Lines(), bench.ensembles.lock("newyork")
    hold(lock, owner("r1"), lines.note, supersedes=never)
    bench.clock.go_on(60)
    later = owner("r1").model_copy(update={"taken_at": bench.clock.now})
    hold(lock, later, lines.note, supersedes=always)
    assert lock.holder() == owner("r1")
    assert lines.by_key == {}


def test_a_take_over_names_the_one_it_was_taken_from_and_is_told_once(bench: Bench) -> None:
    lines, lock = Lines(), bench.ensembles.lock("newyork")
    lock.acquire(owner("dead"))
    for _ in range(2):
        hold(lock, owner("r2"), lines.note, supersedes=always)
    assert lock.holder() == owner("r2")
    assert lines.by_key == {
        f"lock:dead:{NOON.isoformat()}": (
            "lock.taken_over",
            {"from_run": "dead", "from_dag": "dag replicate", "held_since": NOON.isoformat()},
        )
    }


def test_the_rule_is_asked_about_the_holder(bench: Bench) -> None:
    lock, asked = bench.ensembles.lock("newyork"), []
    lock.acquire(owner("r1", purpose=CUTOVER))

    def supersedes(holder: LockOwner) -> bool:
        asked.append((holder.run_id, holder.purpose))
        return False

    with pytest.raises(TransientError):
        hold(lock, owner("r2"), Lines().note, supersedes=supersedes)
    assert asked == [("r1", "cutover")]


def test_a_lock_is_given_back_by_its_run_only(bench: Bench) -> None:
    lock, site = bench.ensembles.lock("newyork"), bench.access.site("newyork")
    lock.acquire(owner("r1"))
    assert give_back(bench.access, site, "r2") is False
    assert lock_holder(bench.access, site) == owner("r1")
    assert give_back(bench.access, site, "r1") is True
    assert lock_holder(bench.access, site) is None
    assert give_back(bench.access, site, "r1") is True


def test_the_lock_of_a_dead_run_is_released_by_name_and_a_line_says_by_whom(bench: Bench) -> None:
    lock, site = bench.ensembles.lock("newyork"), bench.access.site("newyork")
    lock.acquire(owner("r1"))
    bench.clock.go_on(90)
    release_dead(bench.access, site, "r1", by="hana")
    assert lock.holder() is None
    (line,) = site.ledger.entries()
    assert (line.event, line.run_id, line.actor, line.at) == ("lock.released", "r1", "hana", bench.clock.now)
    assert line.details == {
        "held_by_dag": "dag replicate",
        "held_since": NOON.isoformat(),
        "host": "worker-1",
    }


@pytest.mark.parametrize(
    ("holder", "found"), [(None, "nobody"), ("r2", "run r2 of dag replicate on worker-1 for 0:01:30")]
)
def test_no_other_lock_is_released(bench: Bench, holder: str | None, found: str) -> None:
    lock, site = bench.ensembles.lock("newyork"), bench.access.site("newyork")
    if holder:
        lock.acquire(owner(holder))
    bench.clock.go_on(90)
    with pytest.raises(PreconditionError, match=f"run r1 does not hold the lock; it is held by {found}"):
        release_dead(bench.access, site, "r1", by="hana")
    assert lock.holder() == (owner(holder) if holder else None)
    assert bench.events() == []
