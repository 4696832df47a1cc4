from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.coordination.group_lock import GroupLock
from incorta_provider.coordination.session import Stored
from incorta_provider.exceptions import IntegrityError, PreconditionError, TransientError

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
PATH = "/incorta_dr/acme/lock"


@pytest.fixture
def lock(session):
    return GroupLock(session, "acme")


def test_a_free_lock_has_no_holder(lock):
    assert lock.holder() is None


def test_a_lock_tells_its_holder(lock, owner):
    assert lock.acquire(owner("run-1")) == owner("run-1")
    assert lock.holder() == owner("run-1")


def test_the_same_run_takes_it_again_and_keeps_its_first_time(lock, owner):
    lock.acquire(owner("run-1"))
    assert lock.acquire(owner("run-1", NOON + timedelta(hours=1))) == owner("run-1")


def test_a_busy_lock_names_owner_and_age(lock, owner):
    lock.acquire(owner("run-1"))
    with pytest.raises(TransientError) as caught:
        lock.acquire(owner("run-2", NOON + timedelta(hours=26, seconds=5)))
    assert caught.value.what == (
        "the lock is held by run run-1 of replicate on worker-1 for 1 day, 2:00:05 (replication)"
    )
    assert lock.holder() == owner("run-1")


def test_a_clock_that_is_behind_gives_no_negative_age(lock, owner):
    lock.acquire(owner("run-1"))
    with pytest.raises(TransientError, match="for 0:00:00"):
        lock.acquire(owner("run-2", NOON - timedelta(hours=1)))


def test_a_released_lock_is_free(lock, owner):
    lock.acquire(owner("run-1"))
    assert lock.release("run-1") is True
    assert lock.release("run-1") is True
    assert lock.holder() is None
    assert lock.acquire(owner("run-2")) == owner("run-2")


def test_only_the_owner_releases(lock, owner):
    lock.acquire(owner("run-1"))
    assert lock.release("run-2") is False
    assert lock.holder() == owner("run-1")


def test_a_take_over_names_the_dead_owner(lock, owner):
    lock.acquire(owner("dead"))
    assert lock.take_over(owner("run-2"), expected="dead") == owner("run-2")
    assert lock.holder() == owner("run-2")


def test_a_take_over_of_a_free_lock_takes_it(lock, owner):
    assert lock.take_over(owner("run-2"), expected="dead") == owner("run-2")


def test_a_take_over_done_again_changes_nothing(lock, owner):
    lock.acquire(owner("dead"))
    lock.take_over(owner("run-2"), expected="dead")
    assert lock.take_over(owner("run-2", NOON + timedelta(hours=1)), expected="dead") == owner("run-2")


def test_a_take_over_from_another_owner_is_refused(lock, owner):
    lock.acquire(owner("alive"))
    with pytest.raises(PreconditionError, match="not held by run dead but by run alive"):
        lock.take_over(owner("run-2"), expected="dead")
    assert lock.holder() == owner("alive")


def test_an_owner_that_comes_in_during_a_take_over_keeps_the_lock(lock, owner, session):
    lock.acquire(owner("dead"))

    def hand_over():
        lock.release("dead")
        lock.acquire(owner("alive"))

    session.meanwhile = hand_over
    with pytest.raises(PreconditionError, match="by run alive"):
        lock.take_over(owner("run-2"), expected="dead")
    assert lock.holder() == owner("alive")


def test_an_owner_that_lets_go_during_a_take_over_is_no_obstacle(lock, owner, session):
    lock.acquire(owner("dead"))
    session.meanwhile = lambda: lock.release("dead")
    assert lock.take_over(owner("run-2"), expected="dead") == owner("run-2")


def test_the_lock_of_a_run_that_was_robbed_in_the_middle_of_its_release_stays(lock, owner, session):
    lock.acquire(owner("run-1"))
    session.meanwhile = lambda: lock.take_over(owner("run-2"), expected="run-1")
    assert lock.release("run-1") is False
    assert lock.holder() == owner("run-2")


@pytest.mark.parametrize("known", [False, True], ids=["first time", "free again"])
def test_of_two_runs_that_find_it_free_one_gets_it(lock, owner, session, known):
    if known:
        lock.acquire(owner("run-0"))
        lock.release("run-0")
    session.meanwhile = lambda: lock.acquire(owner("run-1"))
    with pytest.raises(TransientError, match="held by run run-1"):
        lock.acquire(owner("run-2"))
    assert lock.holder() == owner("run-1")


@pytest.mark.parametrize("known", [False, True], ids=["first time", "free again"])
def test_what_was_written_though_the_answer_was_lost_counts(lock, owner, session, known):
    """The session then asks again, and is refused: the node is there, or has another version."""
    if known:
        lock.acquire(owner("run-0"))
        lock.release("run-0")
    session.meanwhile = lambda: lock.acquire(owner("run-1"))
    assert lock.acquire(owner("run-1")) == owner("run-1")
    session.meanwhile = lambda: lock.take_over(owner("run-2"), expected="run-1")
    assert lock.take_over(owner("run-2"), expected="run-1") == owner("run-2")
    session.meanwhile = lambda: lock.release("run-2")
    assert lock.release("run-2") is True
    assert lock.holder() is None


def test_a_lock_that_never_stands_still_gives_up(lock, owner, session, monkeypatch):
    monkeypatch.setattr(session, "create", lambda path, value: False)
    with pytest.raises(TransientError, match="changing hands"):
        lock.acquire(owner("run-1"))


@pytest.mark.parametrize("value", [b"\xff", b"null", b'{"run_id": "run-1"}'])
def test_what_is_no_lock_is_refused(lock, owner, session, value):
    session.nodes[PATH] = Stored(value, 0)
    with pytest.raises(IntegrityError, match="does not say who holds it"):
        lock.acquire(owner("run-1"))
    assert session.nodes[PATH].value == value


ACTIONS = st.tuples(
    st.sampled_from(["acquire", "take_over", "release"]),
    st.sampled_from(["run-1", "run-2", "run-3"]),
    st.sampled_from(["run-1", "run-2", "run-3"]),
)


def act(lock, owner, action):
    """Carry an action out and return what came of it."""
    verb, run_id, other = action
    try:
        if verb == "acquire":
            return lock.acquire(owner(run_id)).run_id
        if verb == "take_over":
            return lock.take_over(owner(run_id), expected=other).run_id
        return lock.release(run_id)
    except (TransientError, PreconditionError) as error:
        return type(error)


@given(before=st.lists(ACTIONS, max_size=3), first=ACTIONS, second=ACTIONS)
def test_two_actions_at_the_same_moment_end_as_one_after_the_other(new_session, owner, before, first, second):
    def outcome(*actions, interrupted=False):
        session = new_session()
        lock = GroupLock(session, "acme")
        for action in before:
            act(lock, owner, action)
        results = {}
        if interrupted:
            session.meanwhile = lambda: results.update({1: act(lock, owner, second)})
            results[0] = act(lock, owner, first)
            session.meanwhile = None
        for number, action in actions:
            if number not in results:
                results[number] = act(lock, owner, action)
        holder = lock.holder()
        return results, holder.run_id if holder else None

    at_once = outcome((1, second), interrupted=True)
    assert at_once in (outcome((0, first), (1, second)), outcome((1, second), (0, first)))
