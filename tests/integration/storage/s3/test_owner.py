"""Whose replica a prefix is: a second catalog does nothing to the keys of the first."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from incorta_provider.exceptions import ConfigurationError, IntegrityError, PreconditionError, TransientError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.s3.place import Place
from incorta_provider.storage.s3.target import S3Target
from incorta_provider.storage.s3.tree import S3Tree
from lab.servers.ceph import CephS3
from tests.builders.s3 import TestBucket, make_bucket
from tests.builders.s3_relay import Answered, Relay, refused
from tests.builders.storage import put
from tests.integration.storage.s3.replication import Replication

pytestmark = pytest.mark.lab

MARK = "root.incorta-dr/replica.json"


@pytest.fixture
def site(s3_server: CephS3) -> TestBucket:
    return make_bucket(s3_server)


@pytest.fixture
def run(tmp_path: Path, site: TestBucket) -> Replication:
    put(tmp_path / "source", {"a": b"1"})
    return Replication(tmp_path, LocalTree(tmp_path / "source"), site.target, site)


@pytest.fixture
def catalog(tmp_path: Path) -> Callable[[str, str], Catalog]:
    def made(group: str, site: str) -> Catalog:
        catalog = Catalog(tmp_path / f"{group}-{site}")
        catalog.initialise(group, site)
        return catalog

    return made


def mark(site: TestBucket) -> dict[str, str]:
    body = site.sdk.get_object(Bucket=site.name, Key=MARK)["Body"].read()
    return dict(json.loads(body))


def test_the_first_run_marks_the_prefix_beside_it(run: Replication, site: TestBucket) -> None:
    run.replicate("A")
    first = mark(site)
    assert (first["group"], first["site"]) == ("acme", "newyork")
    assert run.content() == {b"a": b"1"}
    run.replicate("B")
    run.target.initialise()
    assert mark(site) == first


@pytest.mark.parametrize(
    ("group", "name", "whose"),
    [
        ("globex", "newyork", "the replica of acme at newyork, not of globex at newyork"),
        ("acme", "paris", "the replica of acme at newyork, not of acme at paris"),
        ("acme", "newyork", "the replica of another catalog of acme at newyork than /"),
    ],
)
def test_another_catalog_is_refused_and_no_key_is_touched(
    run: Replication,
    site: TestBucket,
    catalog: Callable[[str, str], Catalog],
    tmp_path: Path,
    group: str,
    name: str,
    whose: str,
) -> None:
    run.replicate("A")
    other = site.target(catalog(group, name))
    with pytest.raises(PreconditionError, match=whose) as caught:
        other.check()
    assert caught.value.fix.endswith(f"delete the object s3://aws_test@{site.name}/{MARK}.")
    with pytest.raises(PreconditionError, match=whose):
        other.apply("A")
    assert run.content() == {b"a": b"1"}
    run.target.check()


def test_a_prune_of_another_catalog_deletes_nothing(
    tmp_path: Path, run: Replication, site: TestBucket, catalog: Callable[[str, str], Catalog]
) -> None:
    """It knows none of the points, so each version behind a live one would be nobody's."""
    run.replicate("A")
    put(tmp_path / "source", {"a": b"22"})
    run.replicate("B")
    other = site.target(catalog("acme", "newyork"))
    with pytest.raises(PreconditionError, match="the replica of another catalog"):
        other.forget(place for place, _ in other.leftovers([], []))
    run.target.apply("A")
    assert run.content() == {b"a": b"1"}


def test_a_rehearsal_says_what_the_apply_would_say(
    run: Replication, site: TestBucket, catalog: Callable[[str, str], Catalog]
) -> None:
    run.replicate("A")
    with pytest.raises(PreconditionError, match="the replica of another catalog"):
        site.target(catalog("acme", "newyork")).rehearse("A", None)


@pytest.mark.parametrize("status", [200, 404, 412])
def test_a_page_of_a_proxy_in_the_place_of_the_mark_gives_the_prefix_to_nobody(
    run: Replication, site: TestBucket, relay: Relay, catalog: Callable[[str, str], Catalog], status: int
) -> None:
    run.replicate("A")
    first = mark(site)
    page = Answered(status, [], b"<html>nothing here</html>")
    relay.rule = lambda asked, forward: page if asked.method == "GET" and MARK in asked.target else forward(asked.body)
    bucket = site.bucket(endpoint=relay.endpoint, patience=0)
    for target in (S3Target(bucket, run.catalog), S3Target(bucket, catalog("globex", "newyork"))):
        with pytest.raises(TransientError, match=f"no S3 server answers a read with status {status}"):
            target.check()
        with pytest.raises(TransientError, match="no S3 server answers"):
            target.apply("A")
    assert {asked.method for asked in relay.seen if MARK in asked.target} == {"GET"}
    assert mark(site) == first


def test_a_mark_that_may_not_be_read_stops_runs_and_prunes_and_no_apply(
    run: Replication, site: TestBucket, relay: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    """A right that was forgotten must not hold up a cutover."""
    run.replicate("A")
    denied = refused(403, "AccessDenied")
    relay.rule = lambda asked, forward: denied if MARK in asked.target else forward(asked.body)
    target = S3Target(site.bucket(endpoint=relay.endpoint), run.catalog)
    with pytest.raises(ConfigurationError, match=f"s3:GetObject on {MARK} is not allowed"):
        target.check()
    with pytest.raises(ConfigurationError, match="is not allowed"):
        target.leftovers([], [])
    site.put({"a": b"by hand"})
    target.rehearse("A", None)
    target.apply("A", suspects=())
    assert run.content() == {b"a": b"1"}
    assert "whose replica this is was not asked" in caplog.text


def test_a_catalog_that_was_made_anew_takes_its_replica_over_and_the_old_one_is_refused(
    run: Replication, site: TestBucket, catalog: Callable[[str, str], Catalog]
) -> None:
    run.replicate("A")
    other = site.target(catalog("acme", "newyork"))
    other.initialise()
    other.check()
    with pytest.raises(PreconditionError, match="another catalog of acme at newyork"):
        run.target.check()


def test_the_replica_of_another_group_is_not_taken_over_but_by_hand(
    run: Replication, site: TestBucket, catalog: Callable[[str, str], Catalog]
) -> None:
    run.replicate("A")
    other = site.target(catalog("globex", "newyork"))
    with pytest.raises(PreconditionError, match="the replica of acme at newyork, not of globex"):
        other.initialise()
    site.sdk.delete_object(Bucket=site.name, Key=MARK)
    other.check()
    assert mark(site)["group"] == "globex"


def test_a_mark_that_cannot_be_read_is_not_written_over(run: Replication, site: TestBucket) -> None:
    run.replicate("A")
    site.sdk.put_object(Bucket=site.name, Key=MARK, Body=b"[1")
    with pytest.raises(IntegrityError, match="says whose replica this is cannot be read"):
        run.target.check()


@pytest.fixture
def inner(site: TestBucket) -> TestBucket:
    """The same bucket, a folder further down."""
    return replace(site, prefix=b"root/tenants/acme/")


def others_run(tmp_path: Path, inner: TestBucket) -> Replication:
    """Return the replication of another installation."""
    put(tmp_path / "other/source", {"b": b"2"})
    return Replication(tmp_path / "other", LocalTree(tmp_path / "other/source"), inner.target, inner)


def test_a_prefix_inside_of_another_replica_is_refused(
    tmp_path: Path, run: Replication, site: TestBucket, inner: TestBucket
) -> None:
    run.replicate("A")
    other = others_run(tmp_path, inner)
    around = "around this is the replica of another catalog of acme at newyork"
    with pytest.raises(PreconditionError, match=around) as caught:
        other.seal("B")
    assert caught.value.fix.endswith(f"delete the object s3://aws_test@{site.name}/{MARK}.")
    with pytest.raises(PreconditionError, match=around):
        other.target.initialise()
    with pytest.raises(PreconditionError, match=around):
        other.target.leftovers([], [])
    assert run.content() == {b"a": b"1"}


def test_a_prefix_around_another_replica_is_refused(
    tmp_path: Path, run: Replication, site: TestBucket, inner: TestBucket
) -> None:
    others_run(tmp_path, inner).replicate("B")
    before = site.content()
    for claim in (run.target.check, run.target.initialise):
        with pytest.raises(PreconditionError, match="inside of this is the replica of another catalog") as caught:
            claim()
        assert "/root/tenants/acme.incorta-dr/replica.json." in caught.value.fix
    assert site.content() == before
    site.remove("tenants/acme.incorta-dr/replica.json")
    run.target.check()


def test_replicas_inside_of_each_other_from_before_are_left_alone(
    tmp_path: Path, run: Replication, site: TestBucket, inner: TestBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An apply that looks at every key would delete those of the inner one, and a prune its older versions."""
    other = others_run(tmp_path, inner)
    with monkeypatch.context() as patch:
        patch.setattr(Place, "marks_around", ())
        for number, point in enumerate("AB"):
            put(tmp_path / "source", {"a": b"%d" % number})
            put(tmp_path / "other/source", {"b": b"2%d" % number})
            run.replicate(point)
            other.replicate(point)
    before = site.content()
    with pytest.raises(PreconditionError, match=r"another replica lies inside of this one.*tenants/acme.incorta-dr"):
        run.target.apply("A", suspects=())
    with pytest.raises(PreconditionError, match="another replica lies inside of this one"):
        run.target.forget(place for place, _ in run.target.leftovers([run.catalog.manifest_path("B")], []))
    assert site.content() == before
    with pytest.raises(PreconditionError, match="around this is the replica"):
        other.seal("C")
    assert other.verify("B").equal
    other.target.apply("A")
    assert inner.content() == {b"b": b"20"}


def test_who_may_not_look_around_the_own_prefix_goes_on(
    tmp_path: Path, site: TestBucket, inner: TestBucket, relay: Relay
) -> None:
    denied = refused(403, "AccessDenied")
    relay.rule = lambda asked, forward: denied if asked.target.endswith(f"{site.name}/{MARK}") else forward(asked.body)
    bucket = inner.bucket(endpoint=relay.endpoint)
    put(tmp_path / "source", {"a": b"1"})
    run = Replication(tmp_path, LocalTree(tmp_path / "source"), lambda catalog: S3Target(bucket, catalog), inner)
    run.replicate("A")
    assert run.content() == {b"a": b"1"}


def test_a_file_of_the_source_that_is_named_like_a_mark_is_a_file(
    tmp_path: Path, run: Replication, site: TestBucket
) -> None:
    put(tmp_path / "source", {"x.incorta-dr/replica.json": b"1"})
    run.replicate("A")
    list(run.target.leftovers([run.catalog.manifest_path("A")], []))
    (tmp_path / "source/x.incorta-dr/replica.json").unlink()
    run.replicate("B")
    assert run.content() == {b"a": b"1"}


def test_in_a_whole_bucket_no_listing_shows_the_mark(tmp_path: Path, s3_server: CephS3) -> None:
    site = TestBucket(s3_server, make_bucket(s3_server).name)
    put(tmp_path / "source", {"a": b"1"})
    run = Replication(tmp_path, LocalTree(tmp_path / "source"), lambda catalog: S3Target(site.bucket(), catalog), site)
    run.replicate("A")
    assert run.verify("A").equal
    assert [entry.path for entry in S3Tree(site.bucket()).list()] == [b"a"]
    run.target.apply("A", suspects=())
    assert set(run.content()) == {b"a", b".incorta-dr/replica.json"}
