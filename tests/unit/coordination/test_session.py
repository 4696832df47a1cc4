from __future__ import annotations

from types import SimpleNamespace

import pytest
from kazoo import exceptions as kazoo
from kazoo.handlers.threading import KazooTimeoutError

from incorta_provider.coordination import session as module
from incorta_provider.coordination.session import Session, Stored
from incorta_provider.exceptions import ConfigurationError, TransientError
from tests.builders.waiting import WaitingClock


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> WaitingClock:
    made = WaitingClock()
    monkeypatch.setattr(module, "time", made)
    return made


class Result:
    def __init__(self, outcome: object) -> None:
        self.outcome = outcome.pop(0) if isinstance(outcome, list) else outcome

    def get(self, timeout: float) -> object:
        assert 0 <= timeout <= 2.5
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class Client:
    """Answers each call with the outcome given for its name, or with one after the other of several."""

    def __init__(self, **outcomes: object) -> None:
        self.outcomes = {"sync_async": "/path", **outcomes}
        self.calls: list[str] = []

    def __getattr__(self, name: str):
        def call(path: str, *args: object, **options: object) -> Result:
            assert path == "/path"
            self.calls.append(name)
            return Result(self.outcomes[name])

        return call


def session(**outcomes: object) -> Session:
    return Session(Client(**outcomes), "zk-1:2181", 2.5)


def test_a_read_first_lets_the_member_catch_up():
    client = Client(get_async=(b"value", SimpleNamespace(version=7)))
    assert Session(client, "zk-1:2181", 2.5).read("/path") == Stored(b"value", 7)
    assert client.calls == ["sync_async", "get_async"]


def test_no_node_is_no_error():
    assert session(get_async=kazoo.NoNodeError()).read("/path") is None


def test_a_node_that_exists_is_not_created():
    assert session(create_async="/path").create("/path", b"") is True
    assert session(create_async=kazoo.NodeExistsError()).create("/path", b"") is False


def test_another_version_is_not_replaced():
    assert session(set_async=SimpleNamespace(version=8)).replace("/path", b"", 7) == 8
    assert session(set_async=kazoo.BadVersionError()).replace("/path", b"", 7) is None
    assert session(set_async=kazoo.NoNodeError()).replace("/path", b"", 7) is None


LOST = [
    kazoo.ConnectionLoss(),
    kazoo.ConnectionClosedError(),
    kazoo.SessionExpiredError(),
    kazoo.SessionMovedError(),
    kazoo.OperationTimeoutError(),
    KazooTimeoutError(),
]


@pytest.mark.parametrize("error", LOST, ids=lambda error: type(error).__name__)
def test_a_lost_session_may_pass(error):
    calls = {
        "sync_async": lambda lost: lost.read("/path"),
        "get_async": lambda lost: lost.read("/path"),
        "create_async": lambda lost: lost.create("/path", b""),
        "set_async": lambda lost: lost.replace("/path", b"", 1),
    }
    for name, call in calls.items():
        with pytest.raises(TransientError, match=f"about /path: {type(error).__name__}") as caught:
            call(session(**{name: error}))
        assert caught.value.where == "zk-1:2181"


@pytest.mark.parametrize("error", [kazoo.ConnectionLoss(), kazoo.SessionExpiredError(), kazoo.SessionMovedError()])
def test_what_was_under_way_when_a_member_went_away_is_asked_again(error):
    stored = (b"value", SimpleNamespace(version=7))
    assert session(get_async=[error, error, stored]).read("/path") == Stored(b"value", 7)
    assert session(sync_async=[error, "/path"], get_async=stored).read("/path") == Stored(b"value", 7)
    assert session(set_async=[error, SimpleNamespace(version=8)]).replace("/path", b"", 7) == 8


def test_a_write_that_was_done_before_the_answer_was_lost_is_refused_and_not_done_twice():
    lost = kazoo.ConnectionLoss()
    assert session(create_async=[lost, kazoo.NodeExistsError()]).create("/path", b"") is False
    assert session(set_async=[lost, kazoo.BadVersionError()]).replace("/path", b"", 7) is None


def test_it_is_asked_again_until_the_deadline(clock):
    with pytest.raises(TransientError, match="ConnectionLoss"):
        session(get_async=kazoo.ConnectionLoss()).read("/path")
    assert 1002.3 < clock.now <= 1002.5


def test_a_silent_ensemble_is_not_asked_again(clock):
    with pytest.raises(TransientError, match="KazooTimeoutError"):
        session(get_async=[KazooTimeoutError(), (b"", SimpleNamespace(version=1))]).read("/path")
    assert clock.now == 1000.0


@pytest.mark.parametrize("error", [kazoo.NoAuthError(), kazoo.AuthFailedError()])
def test_a_refusal_is_a_setting(error):
    with pytest.raises(ConfigurationError, match="refuses access to /path"):
        session(get_async=error).read("/path")
