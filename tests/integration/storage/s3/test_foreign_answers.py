"""What proxies, load balancers and error pages answer in an S3 server's place: never an object, never an absence."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from incorta_provider.dr.manifest import Entry
from incorta_provider.exceptions import ConfigurationError, IntegrityError, TransientError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.s3 import download
from incorta_provider.storage.s3.body_md5 import md5_of
from incorta_provider.storage.s3.bucket import Bucket
from incorta_provider.storage.s3.census import look
from incorta_provider.storage.s3.lock import ObjectLock
from incorta_provider.storage.s3.objects import copy, delete, put
from incorta_provider.storage.s3.retention import protect
from incorta_provider.storage.s3.target import S3Target
from incorta_provider.storage.s3.tree import S3Tree
from incorta_provider.storage.tree import Missed
from lab.servers.ceph import CephS3
from tests.builders.s3 import TestBucket, make_bucket
from tests.builders.s3_relay import Answered, Asked, Forward, Relay, plain, refused

pytestmark = pytest.mark.lab

PAGE = b"<html>Please accept the terms of this network.</html>"
CONTENT = bytes(range(256)) * 40
MIB = 1 << 20


@pytest.fixture
def site(s3_server: CephS3) -> TestBucket:
    return make_bucket(s3_server)


@pytest.fixture
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "RANGE_BYTES", MIB)


def listed(bucket: Bucket) -> Entry:
    (entry,) = S3Tree(bucket).list()
    return entry


def always(answer: Answered) -> Callable[[Asked, Forward], Answered]:
    return lambda asked, forward: answer


def write(bucket: Bucket) -> object:
    return put(bucket, b"root/a", b"1", md5_of(b"1"), hashlib.sha256(b"1").digest(), {})


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("etag", '"page"')],
        [("last-modified", "Sat, 28 Nov 2026 01:00:00 GMT")],
        [("etag", '""'), ("last-modified", "Sat, 28 Nov 2026 01:00:00 GMT")],
    ],
    ids=["bare", "etag", "time", "empty etag"],
)
def test_a_page_is_no_object(tmp_path: Path, site: TestBucket, relay: Relay, headers: list[tuple[str, str]]) -> None:
    site.put({"a": CONTENT})
    bucket = site.bucket(endpoint=relay.endpoint)
    entry = listed(bucket)
    relay.rule = always(Answered(200, headers, PAGE))
    with pytest.raises(TransientError, match="no S3 server answers a read with status 200"):
        S3Tree(bucket).fetch(entry, bytes(tmp_path / "into"))
    assert not (tmp_path / "into").exists()
    with pytest.raises(TransientError, match="no S3 server answers"):
        look(bucket, b"a")


def test_a_shorter_body_under_the_listed_etag_is_damage(tmp_path: Path, site: TestBucket, relay: Relay) -> None:
    """Of an object in parts the ETag is no digest, so its length is what shows it."""
    site.put({"a": CONTENT})
    bucket = site.bucket(endpoint=relay.endpoint)
    parts = '"0123456789abcdef0123456789abcdef-2"'

    def shorten(asked: Asked, forward: Forward) -> Answered:
        answer = forward(asked.body)
        headers = [(name, parts if name.lower() == "etag" else value) for name, value in answer.headers]
        return replace(answer, headers=headers, body=answer.body[:-100])

    def relist(asked: Asked, forward: Forward) -> Answered:
        answer = forward(asked.body)
        etag = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest().encode()
        return replace(answer, body=answer.body.replace(etag, parts.strip('"').encode()))

    relay.rule = relist
    entry = listed(bucket)
    relay.rule = shorten
    with pytest.raises(IntegrityError, match="came with other content"):
        S3Tree(bucket).fetch(entry, bytes(tmp_path / "into"))


def test_an_object_that_is_newer_than_the_listing_may_be_longer(tmp_path: Path, site: TestBucket) -> None:
    site.put({"a": CONTENT})
    entry = listed(site.bucket())
    site.put({"a": CONTENT * 2})
    fetched = S3Tree(site.bucket()).fetch(entry, bytes(tmp_path / "into"))
    assert isinstance(fetched, Entry)
    assert (fetched.size, fetched.sha256) == (2 * len(CONTENT), hashlib.sha256(CONTENT * 2).digest())


@pytest.mark.parametrize("status", [404, 412])
def test_a_read_that_is_refused_without_a_word_of_s3(
    tmp_path: Path, site: TestBucket, relay: Relay, status: int
) -> None:
    """A load balancer without a backend says 404 too. To believe that would take the object out of the point."""
    site.put({"a": CONTENT})
    bucket = site.bucket(endpoint=relay.endpoint)
    entry = listed(bucket)
    relay.rule = always(Answered(status, [], b"<html>nothing here</html>"))
    into = bytes(tmp_path / "into")
    if status == 412:
        assert S3Tree(bucket).fetch(entry, into) is Missed.UNSETTLED
        return
    with pytest.raises(TransientError, match="no S3 server answers a read with status 404"):
        S3Tree(bucket).fetch(entry, into)
    relay.rule = plain
    site.remove("a")
    assert S3Tree(bucket).fetch(entry, into) is Missed.VANISHED


@pytest.mark.usefixtures("small_ranges")
def test_a_large_object_of_which_a_balancer_says_404(tmp_path: Path, site: TestBucket, relay: Relay) -> None:
    site.put({"a": CONTENT * 300})
    bucket = site.bucket(endpoint=relay.endpoint)
    entry = listed(bucket)
    relay.rule = always(Answered(404, [], b""))
    with pytest.raises(TransientError, match="no S3 server answers a read with status 404"):
        S3Tree(bucket).fetch(entry, bytes(tmp_path / "into"))
    relay.rule = plain
    site.remove("a")
    assert S3Tree(bucket).fetch(entry, bytes(tmp_path / "into")) is Missed.VANISHED


@pytest.mark.usefixtures("small_ranges")
def test_a_large_object_that_breaks_off_each_time_is_not_called_unsettled(
    tmp_path: Path, site: TestBucket, relay: Relay
) -> None:
    """What is unsettled is left out of the point, and the version before it with it."""
    site.put({"a": CONTENT * 300})
    bucket = site.bucket(endpoint=relay.endpoint)
    entry = listed(bucket)
    relay.rule = lambda asked, forward: replace(forward(asked.body), cut=1000 if asked.method == "GET" else None)
    with pytest.raises(TransientError, match="a breaks off each time"):
        S3Tree(bucket).fetch(entry, bytes(tmp_path / "into"))
    assert not (tmp_path / "into").exists()


@pytest.mark.usefixtures("small_ranges")
def test_a_large_object_that_breaks_off_once_in_a_range_is_whole(
    tmp_path: Path, site: TestBucket, relay: Relay
) -> None:
    site.put({"a": CONTENT * 300})
    bucket = site.bucket(endpoint=relay.endpoint)
    entry = listed(bucket)
    cuts = iter([None, 5000, 7000])
    relay.rule = lambda asked, forward: replace(forward(asked.body), cut=next(cuts, None))
    fetched = S3Tree(bucket).fetch(entry, bytes(tmp_path / "into"))
    assert isinstance(fetched, Entry)
    assert (tmp_path / "into").read_bytes() == CONTENT * 300


@pytest.mark.usefixtures("small_ranges")
def test_a_server_that_ignores_ranges_is_named(tmp_path: Path, site: TestBucket, relay: Relay) -> None:
    site.put({"a": CONTENT * 300})
    bucket = site.bucket(endpoint=relay.endpoint)
    entry = listed(bucket)

    def ignore(asked: Asked, forward: Forward) -> Answered:
        answer = forward(asked.body)
        return replace(answer, status=200, body=CONTENT * 300) if asked.method == "GET" else answer

    relay.rule = ignore
    with pytest.raises(TransientError, match="others are sent: Range is ignored"):
        S3Tree(bucket).fetch(entry, bytes(tmp_path / "into"))
    assert not (tmp_path / "into").exists()


def test_a_read_that_is_not_continued_where_it_broke_off_is_not_called_damage(
    tmp_path: Path, site: TestBucket, relay: Relay
) -> None:
    site.put({"a": CONTENT})
    bucket = site.bucket(endpoint=relay.endpoint)
    entry = listed(bucket)
    whole = Answered(200, [("etag", '"x"'), ("last-modified", "Sat, 28 Nov 2026 01:00:00 GMT")], CONTENT)
    first = len(relay.seen) + 1
    relay.rule = lambda asked, forward: replace(whole, cut=500 if asked.number == first else None)
    with pytest.raises(TransientError, match="Range is ignored"):
        S3Tree(bucket).fetch(entry, bytes(tmp_path / "into"))


def test_a_write_that_is_answered_as_if_something_was_absent(site: TestBucket, relay: Relay) -> None:
    bucket = site.bucket(endpoint=relay.endpoint)
    site.put({"a": CONTENT})
    relay.rule = always(Answered(404, [], b"no such page"))
    with pytest.raises(TransientError, match="no S3 server answers a write with status 404"):
        write(bucket)
    with pytest.raises(TransientError, match="no S3 server answers a write with status 404"):
        copy(bucket, b"root/a", (site.name, b"root/a", None), len(CONTENT))
    relay.rule = always(refused(404, "NoSuchBucket"))
    with pytest.raises(ConfigurationError, match="no such bucket"):
        write(bucket)
    relay.rule = plain
    assert copy(bucket, b"root/b", (site.name, b"root/gone", None), 1) is None
    assert site.content() == {b"a": CONTENT}


def test_a_write_that_is_answered_with_a_page(site: TestBucket, relay: Relay) -> None:
    bucket = site.bucket(endpoint=relay.endpoint)
    site.put({"a": CONTENT})
    relay.rule = always(Answered(200, [], PAGE))
    with pytest.raises(TransientError, match="a write with success, and no ETag"):
        write(bucket)
    with pytest.raises(TransientError, match="a write with success, and no list of what was deleted"):
        delete(bucket, [(b"root/a", None)])
    relay.rule = always(Answered(404, [], b""))
    with pytest.raises(TransientError, match="a write with status 404"):
        delete(bucket, [(b"root/a", None)])
    relay.rule = plain
    assert site.content() == {b"a": CONTENT}


@pytest.mark.parametrize("status", [200, 404])
def test_a_page_is_neither_an_empty_source_nor_a_bucket_without_versions(
    tmp_path: Path, site: TestBucket, relay: Relay, status: int
) -> None:
    """The one would trip the breaker, the other stop the run for a person."""
    site.put({"a": CONTENT})
    bucket = site.bucket(endpoint=relay.endpoint)
    relay.rule = always(Answered(status, [], PAGE))
    with pytest.raises(TransientError, match=f"no S3 server answers a question for ListBucketResult with .* {status}"):
        S3Tree(bucket).check()
    with pytest.raises(TransientError, match="no S3 server answers a question for VersioningConfiguration"):
        S3Target(bucket, Catalog(tmp_path)).check()


def test_a_version_that_nobody_protected_is_not_taken_for_locked(site: TestBucket, relay: Relay) -> None:
    bucket = site.bucket(endpoint=relay.endpoint)
    relay.rule = always(Answered(404, [], PAGE))
    with pytest.raises(TransientError, match="no S3 server answers a write with status 404"):
        protect(bucket, b"root/a", b"v1", ObjectLock("GOVERNANCE", 1))
