"""What networks, busy servers and expired keys do to requests: through a relay before the real server."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.exceptions import ConfigurationError, DrError, IntegrityError, TransientError
from incorta_provider.storage.copying.work_pool import Limits
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.s3 import session
from incorta_provider.storage.s3.access import Keys
from incorta_provider.storage.s3.body_md5 import md5_of
from incorta_provider.storage.s3.bucket import Bucket, Request
from incorta_provider.storage.s3.copiers import Staging
from incorta_provider.storage.s3.foldered import FolderedTree
from incorta_provider.storage.s3.objects import copy, delete, put
from incorta_provider.storage.s3.target import S3Target
from incorta_provider.storage.s3.tree import S3Tree
from incorta_provider.storage.tree import Missed
from lab.layout import Lab
from lab.servers.ceph import CephS3
from lab.servers.server import start
from lab.supervisor import Supervisor
from tests.builders.gateways import ElsewhereGateway
from tests.builders.s3 import TestBucket, make_bucket
from tests.builders.s3_relay import Answered, Asked, Forward, Relay, plain, refused
from tests.builders.storage import put as write
from tests.integration.storage.s3.replication import Replication

pytestmark = pytest.mark.lab


@pytest.fixture
def site(s3_server: CephS3) -> TestBucket:
    return make_bucket(s3_server)


def listed(bucket: Bucket, path: bytes) -> Entry:
    return next(entry for entry in S3Tree(bucket).list() if entry.path == path)


def each(number: int, answer: Answered | None) -> Callable[[Asked, Forward], Answered | None]:
    """Answer every ``number``-th request so, and let the others through."""
    return lambda asked, forward: answer if asked.number % number == 0 else forward(asked.body)


@pytest.mark.parametrize(
    "fault", [refused(503, "SlowDown"), refused(500, "InternalError"), None], ids=["slow", "error", "reset"]
)
def test_a_storm_of_faults_is_sat_out(tmp_path: Path, site: TestBucket, relay: Relay, fault: Answered | None) -> None:
    (tmp_path / "source").mkdir()
    write(tmp_path / "source", {f"d/{number}": b"%d" % number for number in range(6)})
    relay.rule = each(3, fault)
    bucket = site.bucket(endpoint=relay.endpoint)
    run = Replication(tmp_path, LocalTree(tmp_path / "source"), lambda catalog: S3Target(bucket, catalog), site)
    run.replicate("A")
    assert run.content() == {b"d/%d" % number: b"%d" % number for number in range(6)}
    assert run.verify("A").equal


def test_a_server_that_stays_down_is_transient(site: TestBucket, relay: Relay) -> None:
    relay.rule = each(1, refused(503, "SlowDown"))
    bucket = site.bucket(endpoint=relay.endpoint, patience=0.5)
    with pytest.raises(TransientError, match="SlowDown"):
        list(S3Tree(bucket).list())


def test_a_body_that_breaks_off_is_continued(tmp_path: Path, site: TestBucket, relay: Relay) -> None:
    content = bytes(range(256)) * 8000
    site.put({"a": content})
    bucket = site.bucket(endpoint=relay.endpoint)
    entry = listed(bucket, b"a")
    cuts = iter([1_000_000, 300_000])

    def cut(asked: Asked, forward: Forward) -> Answered:
        return replace(forward(asked.body), cut=next(cuts, None))

    relay.rule = cut
    into = tmp_path / "into"
    fetched = S3Tree(bucket).fetch(entry, bytes(into))
    assert isinstance(fetched, Entry)
    assert fetched.sha256 == hashlib.sha256(content).digest()
    assert fetched.mtime_ns == entry.mtime_ns
    assert into.read_bytes() == content


def test_an_object_replaced_between_two_parts_of_a_read_is_unsettled(
    tmp_path: Path, site: TestBucket, relay: Relay
) -> None:
    site.put({"a": b"1" * 100_000})
    bucket = site.bucket(endpoint=relay.endpoint)
    entry = listed(bucket, b"a")

    def cut_and_replace(asked: Asked, forward: Forward) -> Answered:
        answer = replace(forward(asked.body), cut=50_000)
        site.put({"a": b"2" * 100_000})
        relay.rule = plain
        return answer

    relay.rule = cut_and_replace
    assert S3Tree(bucket).fetch(entry, bytes(tmp_path / "into")) is Missed.UNSETTLED
    assert not (tmp_path / "into").exists()
    fetched = S3Tree(bucket).fetch(entry, bytes(tmp_path / "into"))
    assert isinstance(fetched, Entry)
    assert fetched.mtime_ns != entry.mtime_ns


def test_a_damaged_answer_is_found(tmp_path: Path, site: TestBucket, relay: Relay) -> None:
    site.put({"a": b"1" * 1000})
    bucket = site.bucket(endpoint=relay.endpoint)
    entry = listed(bucket, b"a")

    def damage(asked: Asked, forward: Forward) -> Answered:
        answer = forward(asked.body)
        return replace(answer, body=b"x" + answer.body[1:])

    relay.rule = damage
    with pytest.raises(IntegrityError, match="damaged"):
        S3Tree(bucket).fetch(entry, bytes(tmp_path / "into"))
    assert not (tmp_path / "into").exists()


def test_bytes_that_are_damaged_on_the_way_are_sent_again(site: TestBucket, relay: Relay) -> None:
    """The server is told our MD5, which it checks; it would ignore a checksum header."""

    def damage_first(asked: Asked, forward: Forward) -> Answered:
        relay.rule = plain
        return forward(b"x" + asked.body[1:])

    relay.rule = damage_first
    bucket = site.bucket(endpoint=relay.endpoint)
    put(bucket, b"root/a", b"1" * 1000, md5_of(b"1" * 1000), hashlib.sha256(b"1" * 1000).digest(), {})
    assert site.content() == {b"a": b"1" * 1000}
    assert len(relay.seen) == 2


def test_a_server_that_stores_something_else_is_not_believed(site: TestBucket, relay: Relay) -> None:
    def lie(asked: Asked, forward: Forward) -> Answered:
        answer = forward(asked.body)
        kept = [(name, value) for name, value in answer.headers if name.lower() != "etag"]
        return replace(answer, headers=[*kept, ("ETag", f'"{"0" * 32}"')])

    relay.rule = lie
    bucket = site.bucket(endpoint=relay.endpoint)
    with pytest.raises(TransientError, match="other content than was sent"):
        put(bucket, b"root/a", b"1", md5_of(b"1"), hashlib.sha256(b"1").digest(), {})


def test_an_object_that_reads_like_a_refusal_is_read_back(site: TestBucket, relay: Relay) -> None:
    """A key service encrypts, so the ETag proves nothing and what was stored is read again."""
    content = b"<Error><Code>NoSuchKey</Code></Error>"

    def encrypt(asked: Asked, forward: Forward) -> Answered:
        answer = forward(asked.body)
        kept = [(name, value) for name, value in answer.headers if name.lower() != "etag"]
        own = [("ETag", '"0123"'), ("x-amz-server-side-encryption", "aws:kms")]
        return replace(answer, headers=[*kept, *own]) if asked.method == "PUT" else answer

    relay.rule = encrypt
    bucket = site.bucket(endpoint=relay.endpoint)
    put(bucket, b"root/a", content, md5_of(content), hashlib.sha256(content).digest(), {})
    assert site.content() == {b"a": content}
    assert [asked.method for asked in relay.seen] == ["PUT", "GET"]


def test_a_copy_that_fails_after_its_answer_began_is_tried_again(site: TestBucket, relay: Relay) -> None:
    site.put({"a": b"1"})

    def fail_late(asked: Asked, forward: Forward) -> Answered:
        relay.rule = plain
        return replace(refused(500, "InternalError"), status=200)

    relay.rule = fail_late
    bucket = site.bucket(endpoint=relay.endpoint)
    assert copy(bucket, b"root/b", (site.name, b"root/a", None), 1) is not None
    assert site.content() == {b"a": b"1", b"b": b"1"}
    assert [asked.method for asked in relay.seen][:2] == ["PUT", "PUT"]


@pytest.mark.parametrize("cut", ["end", "token"])
def test_a_listing_that_is_cut_short_is_no_listing(site: TestBucket, relay: Relay, cut: str) -> None:
    site.put({f"{number:04d}": b"x" for number in range(3)})

    def shorten(asked: Asked, forward: Forward) -> Answered:
        answer = forward(asked.body)
        if cut == "end":
            return replace(answer, body=answer.body[: len(answer.body) // 2])
        return replace(answer, body=answer.body.replace(b"<IsTruncated>false", b"<IsTruncated>true"))

    relay.rule = shorten
    with pytest.raises(IntegrityError, match="is incomplete"):
        list(S3Tree(site.bucket(endpoint=relay.endpoint)).list())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (refused(400, "ExpiredToken"), "have expired"),
        (refused(301, "PermanentRedirect", **{"x-amz-bucket-region": "eu-west-3"}), "region eu-west-3"),
        (refused(400, "AuthorizationHeaderMalformed"), "another region"),
        (refused(403, "RequestTimeTooSkewed", date="Sat, 28 Nov 2026 01:00:00 GMT"), "the server has 01:00:00"),
        (refused(403, "AccessDenied"), "s3:ListBucket"),
    ],
)
def test_what_needs_a_person_is_said_at_once(site: TestBucket, relay: Relay, answer: Answered, words: str) -> None:
    relay.rule = each(1, answer)
    with pytest.raises(ConfigurationError, match=words):
        list(S3Tree(site.bucket(endpoint=relay.endpoint)).list())
    assert len(relay.seen) == 1


def test_keys_that_expire_in_the_middle_are_renewed(
    site: TestBucket, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = site.bucket(endpoint=relay.endpoint)
    fresh = replace(good.access.keys, renewable=True)
    old = Keys("OLD", "OLD", "token", renewable=True)
    renewals: list[int] = []

    def renewed(_: object) -> Keys:
        renewals.append(1)
        return fresh

    def expire(asked: Asked, forward: Forward) -> Answered:
        return refused(400, "ExpiredToken") if "Credential=OLD/" in asked.signature else forward(asked.body)

    monkeypatch.setattr(session, "renewed", renewed)
    relay.rule = expire
    site.put({"a": b"1"})
    bucket = Bucket(good.place, replace(good.access, keys=old))
    threads = [threading.Thread(target=lambda: bucket.send(Request("HEAD", b"root/a"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry.path for entry in FolderedTree(bucket).list()] == [b"a"]
    assert renewals == [1]


def test_keys_that_expire_in_the_middle_and_cannot_be_renewed_cost_nothing_twice(
    tmp_path: Path, site: TestBucket, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Staging, "limits", Limits(workers=2, batch_files=20, helpers_from=None))
    (tmp_path / "source").mkdir()
    write(tmp_path / "source", {f"{number:03d}": b"x" for number in range(300)})
    puts: list[str] = []

    def expire(asked: Asked, forward: Forward) -> Answered:
        if asked.method == "PUT":
            puts.append(asked.target)
            if len(puts) == 200:
                relay.rule = each(1, refused(400, "ExpiredToken"))
        return forward(asked.body)

    relay.rule = expire
    bucket = site.bucket(endpoint=relay.endpoint)
    run = Replication(tmp_path, LocalTree(tmp_path / "source"), lambda catalog: S3Target(bucket, catalog), site)
    with pytest.raises(ConfigurationError, match="have expired"):
        run.seal("A")
    assert run.catalog.points() == []
    relay.rule = plain
    assert run.seal("A").copied_files < 300
    run.target.apply("A")
    assert len(run.content()) == 300


def test_a_delete_that_is_refused_is_named_and_the_others_are_done(site: TestBucket, relay: Relay) -> None:
    """B03: 2,500 keys in three requests, one key refused."""
    bucket = site.bucket(endpoint=relay.endpoint)
    keys = [b"root/%04d" % number for number in range(2500)]
    site.put({"0007": b"1", "2000": b"1"})

    def refuse_one(asked: Asked, forward: Forward) -> Answered:
        one = b"<Object><Key>root/1234</Key></Object>"
        answer = forward(asked.body.replace(one, b""))
        if one in asked.body:
            error = b"<Error><Key>root/1234</Key><Code>AccessDenied</Code><Message>no</Message></Error>"
            end = answer.body.rindex(b"</DeleteResult>") if b"</DeleteResult>" in answer.body else 0
            return replace(answer, body=answer.body[:end] + error + b"</DeleteResult>")
        return answer

    relay.rule = lambda asked, forward: (
        forward(asked.body) if b"1234" not in asked.body else _without_md5(refuse_one, asked, forward)
    )
    with pytest.raises(ConfigurationError, match="root/1234: AccessDenied"):
        delete(bucket, [(key, None) for key in keys])
    assert len(relay.seen) == 3
    assert site.content() == {}


def _without_md5(rule: Callable[[Asked, Forward], Answered], asked: Asked, forward: Forward) -> Answered:
    """The server must not see the body that the relay changed: it is not asked for this page."""
    return rule(asked, lambda _: Answered(200, [], b"<DeleteResult></DeleteResult>"))


def test_a_bucket_that_keeps_no_versions_is_refused(tmp_path: Path, s3_server: CephS3) -> None:
    site = make_bucket(s3_server, versioned=False)
    run = Replication(tmp_path, LocalTree(tmp_path), site.target, site)
    with pytest.raises(ConfigurationError, match="versioning of the bucket is off"):
        run.target.check()
    site.sdk.put_bucket_versioning(Bucket=site.name, VersioningConfiguration={"Status": "Enabled"})
    run.target.check()
    site.sdk.put_bucket_versioning(Bucket=site.name, VersioningConfiguration={"Status": "Suspended"})
    with pytest.raises(ConfigurationError, match="versioning of the bucket is suspended"):
        run.target.check()


def test_a_bucket_that_is_not_there_and_keys_that_are_wrong(s3_server: CephS3, site: TestBucket) -> None:
    absent = replace(site, name="no-such-bucket").bucket()
    with pytest.raises(ConfigurationError, match="no such bucket"):
        list(S3Tree(absent).list())
    good = site.bucket()
    wrong = Bucket(good.place, replace(good.access, keys=Keys(good.access.keys.access, "wrong")))
    with pytest.raises(ConfigurationError, match="keys of the connection"):
        list(S3Tree(wrong).list())
    nobody = Bucket(good.place, replace(good.access, base="http://127.0.0.1:1/x"), patience=0.2)
    with pytest.raises(TransientError, match="no answer from 127"):
        list(S3Tree(nobody).list())


def test_a_bucket_of_another_region_is_refused_by_the_server_itself(s3_server: CephS3, lab_layout: Lab) -> None:
    site = make_bucket(s3_server)
    site.put({"a": b"1"})
    elsewhere = ElsewhereGateway(s3_server)
    start(elsewhere, Supervisor(lab_layout))
    bucket = site.bucket(endpoint=elsewhere.endpoint)
    for request in (Request("HEAD", b"root/a"), Request("GET", b"root/a"), Request("PUT", b"root/a", body=b"2")):
        with pytest.raises(ConfigurationError, match=r"another region \(PermanentRedirect\)"):
            bucket.send(request)
    with pytest.raises(ConfigurationError, match="another region"):
        list(S3Tree(bucket).list())
    assert site.content() == {b"a": b"1"}


def test_what_another_account_may_not_read_is_named(tmp_path: Path, s3_server: CephS3, site: TestBucket) -> None:
    site.put({"a": b"1"})
    other = replace(site, user="stranger").bucket()
    with pytest.raises(DrError, match="s3:ListBucket on s3://"):
        list(S3Tree(other).list())
    with pytest.raises(IntegrityError, match="s3:GetObject on root/a is not allowed"):
        S3Tree(other).fetch(Entry(b"a", Kind.FILE, 1, 1, 0o644), bytes(tmp_path / "into"))


def test_an_empty_prefix_is_no_source(site: TestBucket) -> None:
    with pytest.raises(DrError, match="no object at the source"):
        S3Tree(site.bucket()).check()


def test_a_lifecycle_rule_that_removes_versions_is_warned_of(
    tmp_path: Path, site: TestBucket, caplog: pytest.LogCaptureFixture
) -> None:
    rule = {
        "ID": "tidy",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 3},
    }
    site.sdk.put_bucket_lifecycle_configuration(Bucket=site.name, LifecycleConfiguration={"Rules": [rule]})
    run = Replication(tmp_path, LocalTree(tmp_path), site.target, site)
    run.target.check()
    assert "lifecycle rule 'tidy' removes versions after 3 day(s)" in caplog.text
