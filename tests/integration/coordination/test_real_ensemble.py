"""The coordination against a real ensemble of three: quorum, races, lost sessions."""

from __future__ import annotations

import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.coordination.ensemble import ensemble_state, quorum_problem
from incorta_provider.coordination.group_lock import GroupLock, LockOwner
from incorta_provider.coordination.role_registry import RoleRegistry
from incorta_provider.coordination.zookeeper import connect
from incorta_provider.dr.epoch import first_role, promoting_role
from incorta_provider.exceptions import DrError, FencingError, TransientError
from tests.integration.coordination.conftest import mode_of

pytestmark = pytest.mark.lab

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
WRITERS = 8
START_SECONDS = 60
"""On a busy machine eight sessions take a while to open; one that fails must not leave the others waiting for ever."""


def four_letters(word: bytes, port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(word)
        return connection.makefile("rb").read()


def says_ok(port):
    """Tell whether a member says "imok"; while it loses its role it closes connections without a word."""
    with suppress(ConnectionError):
        return four_letters(b"ruok", port) == b"imok"
    return False


def by_mode(ensemble, mode):
    return next(member for member in ensemble.members if mode_of(member) == mode)


def is_known(ensemble, number):
    """Tell whether a member has a connection of the session with this number."""
    return any(b"sid=%#x," % number in four_letters(b"cons", member.port) for member in ensemble.members)


def wait_until(is_so):
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def owner(run_id):
    return LockOwner(run_id=run_id, dag_id="replicate", host="worker-1", purpose="replication", taken_at=NOON)


def test_a_healthy_ensemble_has_a_quorum(info):
    state = ensemble_state(info)
    assert sorted(member.mode for member in state) == ["follower", "follower", "leader"]
    assert quorum_problem(state) is None


def test_one_member_down_is_still_a_quorum(info, ensemble, faults):
    killed = by_mode(ensemble, "follower")
    faults.kill(killed)
    wait_until(lambda: quorum_problem(ensemble_state(info)) is None)
    assert [member.reason for member in ensemble_state(info) if member.port == killed.port] == ["Connection refused"]
    with connect(info) as session:
        session.create("/one_down", b"")


def test_without_a_majority_there_is_no_quorum_though_ruok_says_yes(info, ensemble, faults):
    survivor, *others = ensemble.members
    faults.kill(*others)
    wait_until(lambda: quorum_problem(ensemble_state(info)) is not None)
    wait_until(lambda: says_ok(survivor.port))
    with (
        pytest.raises(TransientError, match="cannot connect to ZooKeeper: no quorum") as caught,
        connect(info, timeout=2),
    ):
        pytest.fail("a session without a quorum")
    assert str(others[0].port) in caught.value.what


def test_a_leader_that_hangs_is_no_leader(info, ensemble, faults):
    leader = by_mode(ensemble, "leader")
    faults.send(leader, signal.SIGSTOP)
    try:
        state = ensemble_state(info, timeout=0.5)
        assert [member.reason for member in state if member.port == leader.port] == ["silent for 0.5 s"]
        assert "no leader" in (quorum_problem(state) or "")
    finally:
        faults.send(leader, signal.SIGCONT)


def test_nobody_there_is_told_in_time_and_leaves_nothing_behind():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    before = set(threading.enumerate())
    started = time.monotonic()
    with pytest.raises(TransientError, match="Connection refused"), connect(info_of(port), timeout=1):
        pytest.fail("a session with nobody")
    assert time.monotonic() - started < 30
    assert set(threading.enumerate()) <= before


def info_of(port):
    return ConnectionInfo("nobody", host=f"127.0.0.1:{port}")


def test_a_session_ends_with_its_block_also_after_an_error(info, ensemble):
    before = set(threading.enumerate())
    numbers = []

    def use():
        with connect(info) as session:
            numbers.append(session._client.client_id[0])
            assert is_known(ensemble, numbers[0])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use()
    assert set(threading.enumerate()) <= before
    wait_until(lambda: not is_known(ensemble, numbers[0]))


def test_a_lost_ensemble_ends_a_call_in_time(info, ensemble, faults):
    with connect(info, timeout=5) as session:
        session.create("/lost", b"")
        faults.kill(*ensemble.members)
        started = time.monotonic()
        with pytest.raises(TransientError, match="/lost"):
            session.read("/lost")
        assert not session.is_connected
        assert time.monotonic() - started < 30


def test_a_session_survives_the_loss_of_the_leader(info, ensemble, faults):
    with connect(info, timeout=60) as session:
        session.create("/leader_lost", b"kept")
        faults.kill(by_mode(ensemble, "leader"))
        stored = session.read("/leader_lost")
        assert session.is_connected
    assert stored is not None
    assert stored.value == b"kept"


def test_of_many_promotions_at_the_same_moment_one_wins(info):
    group = "race"
    with connect(info) as session:
        read_by_all = RoleRegistry(session, group).init(first_role(group, "berlin", by="dana", at=NOON))
    start = threading.Barrier(WRITERS, timeout=START_SECONDS)

    def promote(number):
        role = promoting_role(read_by_all.role, "newyork", by="dana", run_id=f"run-{number}", at=NOON)
        with connect(info, timeout=START_SECONDS) as session:
            start.wait()
            try:
                return RoleRegistry(session, group).compare_and_set(read_by_all, role).role.run_id
            except FencingError:
                return None

    with ThreadPoolExecutor(WRITERS) as pool:
        won = [run_id for run_id in pool.map(promote, range(WRITERS)) if run_id]
    assert len(won) == 1
    with connect(info) as session:
        stored = RoleRegistry(session, group).read()
    assert stored is not None
    assert (stored.role.run_id, stored.role.epoch, stored.version) == (won[0], 2, 1)


def test_of_many_first_roles_at_the_same_moment_one_stands(info):
    start = threading.Barrier(WRITERS, timeout=START_SECONDS)

    def init(number):
        with connect(info, timeout=START_SECONDS) as session:
            start.wait()
            try:
                RoleRegistry(session, "first").init(first_role("first", "berlin", by=f"dana-{number}", at=NOON))
            except DrError as error:
                return type(error).__name__
            return "won"

    with ThreadPoolExecutor(WRITERS) as pool:
        outcomes = sorted(pool.map(init, range(WRITERS)))
    assert outcomes == ["PreconditionError"] * (WRITERS - 1) + ["won"]


def test_of_many_runs_at_the_same_moment_one_gets_the_lock(info):
    start = threading.Barrier(WRITERS, timeout=START_SECONDS)

    def acquire(number):
        with connect(info, timeout=START_SECONDS) as session:
            start.wait()
            try:
                return GroupLock(session, "lock_race").acquire(owner(f"run-{number}")).run_id
            except TransientError:
                return None

    with ThreadPoolExecutor(WRITERS) as pool:
        won = [run_id for run_id in pool.map(acquire, range(WRITERS)) if run_id]
    assert len(won) == 1
    with connect(info) as session:
        assert GroupLock(session, "lock_race").holder() == owner(won[0])


def test_of_many_take_overs_at_the_same_moment_one_wins(info):
    with connect(info) as session:
        GroupLock(session, "take_over").acquire(owner("dead"))
    start = threading.Barrier(WRITERS, timeout=START_SECONDS)

    def take_over(number):
        with connect(info, timeout=START_SECONDS) as session:
            start.wait()
            try:
                return GroupLock(session, "take_over").take_over(owner(f"run-{number}"), expected="dead").run_id
            except DrError as error:
                return type(error).__name__

    with ThreadPoolExecutor(WRITERS) as pool:
        outcomes = list(pool.map(take_over, range(WRITERS)))
    won = [outcome for outcome in outcomes if outcome.startswith("run-")]
    assert len(won) == 1
    assert outcomes.count("PreconditionError") == WRITERS - 1


def test_a_lock_outlives_the_session_that_took_it(info):
    with connect(info) as session:
        GroupLock(session, "lasting").acquire(owner("run-1"))
    with connect(info) as session:
        lock = GroupLock(session, "lasting")
        assert lock.holder() == owner("run-1")
        assert lock.release("run-1") is True
        assert lock.holder() is None
        assert lock.acquire(owner("run-2")) == owner("run-2")


def test_the_versions_of_a_lock_never_start_anew(info):
    """A change that names an old version must not hit the lock of a later owner."""
    with connect(info) as session:
        lock = GroupLock(session, "versions")
        seen = []
        for number in range(3):
            lock.acquire(owner(f"run-{number}"))
            stored = session.read("/incorta_dr/versions/lock")
            assert stored is not None
            seen.append(stored.version)
            lock.release(f"run-{number}")
    assert seen == sorted(set(seen))
