"""Deletes of keys that XML cannot hold, and of which the server does a part."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.storage.s3 import deletion
from incorta_provider.storage.s3.bucket import Request
from incorta_provider.storage.s3.listing import versions
from incorta_provider.storage.s3.objects import delete, delete_allowed
from lab.servers.ceph import CephS3
from tests.builders.s3 import TestBucket, make_bucket
from tests.builders.s3_relay import Answered, Asked, Forward, Relay, plain, refused

pytestmark = pytest.mark.lab

Rule = Callable[[Asked, Forward], Answered | None]


@pytest.fixture
def site(s3_server: CephS3) -> TestBucket:
    return make_bucket(s3_server)


HOSTILE = (b"a\rb", b"\r", b"\x01", b"x\x0b\x0c\x1fy", b"end\r\n", "not a character \uffff".encode())


def test_keys_that_xml_cannot_hold_are_deleted_and_no_others(site: TestBucket) -> None:
    """A parser makes a newline of a carriage return: the key beside it would go, and success would be told."""
    bucket = site.bucket()
    beside = [key.replace(b"\r\n", b"\n").replace(b"\r", b"\n") for key in HOSTILE if b"\r" in key]
    for key in (*HOSTILE, *beside):
        bucket.send(Request("PUT", bucket.place.key(key), body=key))
    delete(bucket, [(bucket.place.key(key), None) for key in HOSTILE])
    left = {bucket.place.path(one.key) for one in versions(bucket) if one.latest and not one.marker}
    assert left == set(beside)
    gone = [(one.key, one.version) for one in versions(bucket) if bucket.place.path(one.key) in HOSTILE]
    assert len(gone) == 2 * len(HOSTILE)
    delete(bucket, gone)
    assert {bucket.place.path(one.key) for one in versions(bucket)} == set(beside)


def test_such_a_key_that_is_refused_is_named(site: TestBucket, relay: Relay) -> None:
    bucket = site.bucket(endpoint=relay.endpoint)
    site.put({"fine": b"1"})
    relay.rule = lambda asked, forward: (
        refused(403, "AccessDenied") if asked.method == "DELETE" else forward(asked.body)
    )
    (why,) = delete_allowed(bucket, [(b"root/a\rb", None), (b"root/fine", None)])
    assert why.startswith("root/a\\rb: s3:DeleteObject on ")
    assert "AccessDenied" in why
    assert site.content() == {}


def busy(*keys: bytes, code: str = "InternalError") -> Rule:
    """Return what leaves keys out of each delete, as a server does that is busy with them."""

    def rule(asked: Asked, forward: Forward) -> Answered | None:
        errors = b"".join(
            b"<Error><Key>%s</Key><Code>%s</Code><Message>later</Message></Error>" % (key, code.encode())
            for key in keys
            if key in asked.body
        )
        return Answered(200, [], b"<DeleteResult>" + errors + b"</DeleteResult>") if errors else forward(asked.body)

    return rule


@pytest.mark.parametrize("code", ["InternalError", "SlowDown", "ServiceUnavailable"])
def test_a_key_that_the_server_is_busy_with_is_asked_for_again_alone(site: TestBucket, relay: Relay, code: str) -> None:
    bucket = site.bucket(endpoint=relay.endpoint)
    site.put({"a": b"1", "b": b"2"})

    def once(asked: Asked, forward: Forward) -> Answered | None:
        relay.rule = plain
        site.remove("a")
        return busy(b"root/b", code=code)(asked, forward)

    relay.rule = once
    delete(bucket, [(b"root/a", None), (b"root/b", None)])
    assert site.content() == {}
    assert [asked.body.count(b"<Object>") for asked in relay.seen] == [2, 1]


def test_a_server_that_stays_busy_is_no_matter_of_rights(
    site: TestBucket, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "_TRIES", 3)
    bucket = site.bucket(endpoint=relay.endpoint)
    relay.rule = busy(b"root/b")
    with pytest.raises(TransientError, match=r"1 object.*\n  root/b: InternalError"):
        delete(bucket, [(b"root/b", None)])
    assert len(relay.seen) == 3


def test_who_is_refused_is_named_though_others_were_asked_for_again(site: TestBucket, relay: Relay) -> None:
    """B03: a busy key beside one that is refused."""
    bucket = site.bucket(endpoint=relay.endpoint)

    def both(asked: Asked, forward: Forward) -> Answered | None:
        relay.rule = plain
        denied, later = busy(b"root/a", code="AccessDenied"), busy(b"root/b")
        first, second = denied(asked, forward), later(asked, forward)
        assert first is not None
        assert second is not None
        body = first.body.replace(b"</DeleteResult>", b"") + second.body.replace(b"<DeleteResult>", b"")
        return Answered(200, [], body)

    relay.rule = both
    with pytest.raises(ConfigurationError, match=r"1 object.*\n  root/a: AccessDenied"):
        delete(bucket, [(b"root/a", None), (b"root/b", None)])
    assert [asked.body.count(b"<Object>") for asked in relay.seen] == [2, 1]
