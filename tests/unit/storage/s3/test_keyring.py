"""Keys that expire: renewed in time, used as long as they are valid, missed only while nobody gives new ones."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import ConfigurationError, DrError, TransientError
from incorta_provider.storage.s3 import keyring, session
from incorta_provider.storage.s3.access import Access, Keys
from incorta_provider.storage.s3.bucket import Bucket, Request
from incorta_provider.storage.s3.keyring import KeyRing
from incorta_provider.storage.s3.place import Place
from tests.builders.peer import EMPTY, answering, serving

INFO = ConnectionInfo("aws_dr", "aws")
AWAY = TransientError("nobody gives keys for the connection now", where="connection aws_dr", fix="Retry.")


def keys(name: str, left: float) -> Keys:
    """Return keys that are valid for so many seconds."""
    return Keys(name, "SK", "token", expires=time.time() + left, renewable=True)


class Giver:
    """Gives keys, or fails, as the test says next."""

    def __init__(self) -> None:
        self.next: Keys | DrError = AWAY
        self.asked = 0
        self.before: Callable[[], object] = lambda: None

    def __call__(self, _: ConnectionInfo) -> Keys:
        self.asked += 1
        self.before()
        if isinstance(self.next, DrError):
            raise self.next
        return self.next


@pytest.fixture
def giver(monkeypatch: pytest.MonkeyPatch) -> Giver:
    made = Giver()
    monkeypatch.setattr(session, "renewed", made)
    return made


def test_keys_are_renewed_before_they_expire(giver: Giver) -> None:
    giver.next = keys("new", 3600)
    ring = KeyRing(INFO, keys("old", 200))
    assert [ring.current().access for _ in range(3)] == ["new"] * 3
    assert giver.asked == 1


def test_keys_with_time_left_are_not_renewed(giver: Giver) -> None:
    assert KeyRing(INFO, keys("old", 900)).current().access == "old"
    assert KeyRing(INFO, Keys("fixed", "SK")).current().access == "fixed"
    assert giver.asked == 0


@pytest.mark.parametrize("fault", [AWAY, ConfigurationError("the role may not be assumed")])
def test_valid_keys_are_used_while_nobody_gives_new_ones(
    giver: Giver, caplog: pytest.LogCaptureFixture, fault: DrError
) -> None:
    giver.next = fault
    ring = KeyRing(INFO, keys("old", 200))
    with caplog.at_level(logging.WARNING):
        assert [ring.current().access for _ in range(5)] == ["old"] * 5
    assert giver.asked == 1
    assert "The keys of aws_dr expire in" in caplog.text


def test_they_are_tried_again_later(giver: Giver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "TRY_AGAIN_SECONDS", 0.0)
    ring = KeyRing(INFO, keys("old", 200))
    assert ring.current().access == "old"
    giver.next = keys("new", 3600)
    assert ring.current().access == "new"


def test_nobody_waits_for_keys_while_the_old_ones_are_valid(giver: Giver) -> None:
    asked, go = threading.Event(), threading.Event()
    giver.next = keys("new", 3600)
    giver.before = lambda: (asked.set(), go.wait(20))
    ring = KeyRing(INFO, keys("old", 200))
    renewing = threading.Thread(target=ring.current)
    renewing.start()
    assert asked.wait(20)
    assert ring.current().access == "old"
    go.set()
    renewing.join()
    assert ring.current().access == "new"


def test_expired_keys_that_nobody_renews_are_transient(giver: Giver) -> None:
    ring = KeyRing(INFO, keys("old", -1))
    for _ in range(3):
        with pytest.raises(TransientError, match="nobody gives keys"):
            ring.current()
    assert giver.asked == 1


def test_expired_keys_of_a_connection_that_gives_no_more_are_a_setting(giver: Giver) -> None:
    giver.next = ConfigurationError("the role may not be assumed")
    with pytest.raises(ConfigurationError, match="may not be assumed"):
        KeyRing(INFO, keys("old", -1)).current()


def test_keys_that_the_server_takes_no_more_are_renewed_once(giver: Giver) -> None:
    giver.next = Keys("new", "SK", renewable=True)
    old = Keys("old", "SK", renewable=True)
    ring = KeyRing(INFO, old)
    for _ in range(3):
        ring.expired(old)
        assert ring.current().access == "new"
    assert giver.asked == 1


def test_a_request_waits_for_keys_as_for_anything_that_may_pass(giver: Giver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "TRY_AGAIN_SECONDS", 0.0)
    giver.before = lambda: giver.asked == 3 and setattr(giver, "next", keys("new", 3600))
    with serving(answering(EMPTY)) as peer:
        access = Access(INFO, f"http://127.0.0.1:{peer.port}/b", "r", keys("old", -1))
        place = Place("aws_dr", "b")
        with pytest.raises(TransientError, match="nobody gives keys"):
            Bucket(place, access, patience=0).send(Request("HEAD", b"a"))
        assert Bucket(place, access, patience=30).send(Request("HEAD", b"a")).status == 200
    assert giver.asked == 3
    assert len(peer.heads) == 1
