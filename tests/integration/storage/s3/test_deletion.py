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


def lines(*errors: tuple[bytes, bytes, str]) -> Answered:
    """Return an answer with errors of key, version and code; what is empty is left out."""
    told = b"".join(
        b"<Error>%s%s<Code>%s</Code></Error>"
        % (key and b"<Key>%s</Key>" % key, version and b"<VersionId>%s</VersionId>" % version, code.encode())
        for key, version, code in errors
    )
    return Answered(200, [], b"<DeleteResult>" + told + b"</DeleteResult>")


def test_an_error_without_a_version_is_of_all_versions_of_its_key(site: TestBucket, relay: Relay) -> None:
    """The one that is named beside it must not make the server's silence about the others a success."""
    bucket = site.bucket(endpoint=relay.endpoint)
    for text in (b"1", b"2"):
        site.put({"a": text, "b": text, "c": text})
    found = [(one.key, one.version) for one in versions(bucket)]
    busy_one = next(version for key, version in found if key == b"root/b")

    def once(asked: Asked, forward: Forward) -> Answered:
        relay.rule = plain
        return lines((b"root/a", b"", "InternalError"), (b"root/b", busy_one, "SlowDown"))

    relay.seen.clear()
    relay.rule = once
    assert delete_allowed(bucket, found) == []
    assert [asked.body.count(b"<Object>") for asked in relay.seen] == [6, 3]
    left = {(one.key, one.version) for one in versions(bucket)}
    assert left == {one for one in found if one[0] != b"root/a" and one[1] != busy_one}


def test_who_is_refused_without_a_version_is_named_for_each_that_may_be_meant(site: TestBucket, relay: Relay) -> None:
    bucket = site.bucket(endpoint=relay.endpoint)
    asked = [(b"root/a", b"1"), (b"root/a", b"2"), (b"root/b", b"3")]
    relay.rule = lambda _, __: lines((b"root/a", b"", "AccessDenied"), (b"root/a", b"", "NoSuchVersion"))
    assert delete_allowed(bucket, asked) == ["root/a: AccessDenied"] * 2
    relay.rule = lambda _, __: lines((b"root/a", b"2", "AccessDenied"))
    assert delete_allowed(bucket, asked) == ["root/a: AccessDenied"]


def test_a_refusal_counts_beside_a_busy_answer_for_the_same_key(site: TestBucket, relay: Relay) -> None:
    bucket = site.bucket(endpoint=relay.endpoint)
    relay.rule = lambda _, __: lines((b"root/a", b"", "AccessDenied"), (b"root/a", b"", "SlowDown"))
    assert delete_allowed(bucket, [(b"root/a", b"1")]) == ["root/a: AccessDenied"]
    assert len(relay.seen) == 1


@pytest.mark.parametrize("key", [b"", b"root/other"])
def test_an_error_of_a_key_that_nobody_asked_for_may_be_of_any(site: TestBucket, relay: Relay, key: bytes) -> None:
    bucket = site.bucket(endpoint=relay.endpoint)
    relay.rule = lambda _, __: lines((key, b"", "AccessDenied"))
    assert delete_allowed(bucket, [(b"root/a", b"1"), (b"root/b", b"2")]) == [
        "root/a: AccessDenied",
        "root/b: AccessDenied",
    ]
