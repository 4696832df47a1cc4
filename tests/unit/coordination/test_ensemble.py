from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.connection import ConnectionInfo
from incorta_provider.coordination.ensemble import Member, ensemble_state, members, quorum_problem
from incorta_provider.exceptions import ConfigurationError
from tests.builders.ports import closed_port

Answer = Callable[[socket.socket], object]

SRVR_OF_A_FOLLOWER = b"Zookeeper version: 3.8.0\nLatency min/avg/max: 0/0.0/0\nMode: follower\nNode count: 5\n"


def ensemble(*hosts: str) -> ConnectionInfo:
    return ConnectionInfo("zk", host=",".join(hosts))


@pytest.fixture
def member() -> Iterator[Callable[[Answer], str]]:
    """Start something that listens where a ZooKeeper member should; returns its ``host:port``."""
    listeners = []

    def serve(listener: socket.socket, answer: Answer) -> None:
        try:
            connection, _ = listener.accept()
            with connection:
                answer(connection)
        except OSError:
            pass

    def start(answer: Answer) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=serve, args=(listener, answer), daemon=True).start()
        return f"127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listeners:
        listener.close()


def says(text: bytes) -> Answer:
    return lambda connection: (connection.recv(16), connection.sendall(text))


def test_a_member_that_serves(member):
    host, port = member(says(SRVR_OF_A_FOLLOWER)).split(":")
    assert ensemble_state(ensemble(f"{host}:{port}")) == [Member(host, int(port), "follower", "")]


@pytest.mark.parametrize(
    ("answer", "mode", "reason"),
    [
        (b"This ZooKeeper instance is not currently serving requests\n", "", "not currently serving"),
        (b"srvr is not executed because it is not in the whitelist.\n", "", "does not allow srvr"),
        (b"Mode: read-only\n", "read-only", "is in mode read-only"),
        (b"Mode: observer\n", "observer", "is in mode observer"),
        (b"Mode: chairman\n", "chairman", "is in mode chairman"),
        (b"imok", "", "imok"),
        (b"", "", "without a word"),
        (b"\xff\xfe\x00", "", "\ufffd"),
    ],
)
def test_a_member_that_does_not_serve_says_why(member, answer, mode, reason):
    (found,) = ensemble_state(ensemble(member(says(answer))))
    assert not found.ok
    assert found.mode == mode
    assert reason in found.reason


def test_a_member_that_hangs_does_not_serve(member):
    hanging = member(lambda connection: time.sleep(60))
    started = time.monotonic()
    (found,) = ensemble_state(ensemble(hanging), timeout=0.3)
    assert found.reason == "silent for 0.3 s"
    assert time.monotonic() - started < 30


def test_a_member_that_drips_its_answer_has_no_more_time(member):
    def drip(connection: socket.socket) -> None:
        for _ in range(600):
            connection.sendall(b"x")
            time.sleep(0.1)

    started = time.monotonic()
    (found,) = ensemble_state(ensemble(member(drip)), timeout=0.3)
    assert found.reason == "silent for 0.3 s"
    assert time.monotonic() - started < 30


def test_a_member_that_is_down(free_port):
    (found,) = ensemble_state(ensemble(f"127.0.0.1:{free_port}"))
    assert found.reason == "Connection refused"


def test_members_are_asked_at_the_same_time(member):
    """None says anything before all were asked."""
    all_asked = threading.Barrier(20, timeout=60)

    def answer(connection: socket.socket) -> None:
        all_asked.wait()
        says(SRVR_OF_A_FOLLOWER)(connection)

    found = ensemble_state(ensemble(*(member(answer) for _ in range(20))), timeout=60)
    assert [each.mode for each in found] == ["follower"] * 20


@pytest.fixture
def free_port() -> Iterator[int]:
    with closed_port() as port:
        yield port


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("a", [("a", 2181)]),
        ("a:1, b:2,c", [("a", 1), ("b", 2), ("c", 2181)]),
        ("[::1]:2182", [("::1", 2182)]),
    ],
)
def test_the_host_field_lists_the_members(host, found):
    assert members(ensemble(host)) == found


@pytest.mark.parametrize("host", ["", ",", "a:b", "a:1,,b:2", "a:99999", "a:1/chroot"])
def test_what_is_no_list_of_members_is_refused(host):
    with pytest.raises(ConfigurationError, match="connection zk"):
        members(ensemble(host))


def of(*modes: str) -> list[Member]:
    return [Member("zk", port, mode, "" if mode else "down") for port, mode in enumerate(modes, 1)]


@pytest.mark.parametrize(
    "modes",
    [("standalone",), ("leader", "follower", "follower"), ("leader", "follower", ""), ("follower", "leader", "")],
)
def test_a_leader_and_a_majority_are_a_quorum(modes):
    assert quorum_problem(of(*modes)) is None


@pytest.mark.parametrize(
    ("modes", "problem"),
    [
        (("leader", "", ""), "no quorum: 1 of 3 members serve (zk:2 down; zk:3 down)"),
        (("", "follower", "follower"), "no quorum: 2 of 3 members serve, no leader (zk:1 down)"),
        (("leader", ""), "no quorum: 1 of 2 members serve (zk:2 down)"),
        (("follower", "follower", "follower"), "no quorum: 3 of 3 members serve, no leader"),
        (("", "", ""), "no quorum: 0 of 3 members serve, no leader (zk:1 down; zk:2 down; zk:3 down)"),
    ],
)
def test_what_is_no_quorum_says_why(modes, problem):
    assert quorum_problem(of(*modes)) == problem


@given(st.lists(st.sampled_from(["leader", "follower", "standalone", ""]), min_size=1, max_size=7))
def test_half_of_the_members_never_is_a_quorum(modes):
    serving = [mode for mode in modes if mode]
    has_quorum = quorum_problem(of(*modes)) is None
    assert has_quorum == (any(mode != "follower" for mode in serving) and 2 * len(serving) > len(modes))
