"""Settings, rights and listings that go wrong in the middle of a run, and two servers that do not know each other."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from incorta_provider.exceptions import ConfigurationError, IntegrityError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.s3 import copiers, objects
from incorta_provider.storage.s3.target import S3Target
from lab.servers.ceph import CephS3
from tests.builders.s3 import TestBucket, make_bucket
from tests.builders.s3_relay import Answered, Asked, Forward, Relay, plain, refused
from tests.builders.storage import put as write
from tests.integration.storage.s3.replication import Replication

pytestmark = pytest.mark.lab

MIB = 1 << 20


@pytest.fixture
def site(s3_server: CephS3) -> TestBucket:
    return make_bucket(s3_server)


@pytest.fixture
def run(tmp_path: Path, site: TestBucket, relay: Relay) -> Replication:
    """Return a pair whose point A is applied: a folder here, and a bucket behind the relay."""
    write(tmp_path / "source", {"a": b"1", "locked/b": b"2"})

    def target(catalog: Catalog) -> S3Target:
        return S3Target(site.bucket(endpoint=relay.endpoint), catalog)

    run = Replication(tmp_path, LocalTree(tmp_path / "source"), target, site)
    run.replicate("A")
    return run


def test_versioning_that_is_suspended_in_the_middle_of_a_run(
    tmp_path: Path, site: TestBucket, relay: Relay, run: Replication
) -> None:
    """Nothing is sealed on versions that the next write would replace, and with versioning on all goes on."""
    write(tmp_path / "source", {"a": b"22", "locked/b": b"22"})

    def suspend(asked: Asked, forward: Forward) -> Answered | None:
        if asked.method == "PUT":
            relay.rule = plain
            site.sdk.put_bucket_versioning(Bucket=site.name, VersioningConfiguration={"Status": "Suspended"})
        return forward(asked.body)

    relay.rule = suspend
    with pytest.raises(IntegrityError, match="versioning of the bucket is off"):
        run.seal("B")
    assert [point.id for point in run.catalog.points()] == ["A"]
    with pytest.raises(ConfigurationError, match="versioning of the bucket is suspended"):
        run.seal("B")
    site.sdk.put_bucket_versioning(Bucket=site.name, VersioningConfiguration={"Status": "Enabled"})
    run.replicate("B")
    assert run.content() == {b"a": b"22", b"locked/b": b"22"}
    run.target.apply("A")
    assert run.content() == {b"a": b"1", b"locked/b": b"2"}
    assert run.verify("A").equal


def test_a_prefix_that_may_not_be_written_is_named_and_nothing_is_sealed(
    tmp_path: Path, relay: Relay, run: Replication
) -> None:
    write(tmp_path / "source", {"a": b"22", "locked/b": b"22"})

    def refuse(asked: Asked, forward: Forward) -> Answered | None:
        is_locked = asked.method == "PUT" and "/root/locked/" in asked.target
        return refused(403, "AccessDenied") if is_locked else forward(asked.body)

    relay.rule = refuse
    with pytest.raises(ConfigurationError, match="s3:PutObject on root/locked/b is not allowed"):
        run.seal("B")
    assert [point.id for point in run.catalog.points()] == ["A"]
    run.target.apply("A")
    assert run.content() == {b"a": b"1", b"locked/b": b"2"}
    relay.rule = plain
    run.replicate("B")
    assert run.content() == {b"a": b"22", b"locked/b": b"22"}


@pytest.mark.parametrize("fault", ["a key twice", "a page twice"])
def test_a_listing_that_tells_keys_twice_removes_none(relay: Relay, run: Replication, fault: str) -> None:
    """An apply that looks at every key would take the second one for a key too many."""

    def twice(asked: Asked, forward: Forward) -> Answered | None:
        answer = forward(asked.body)
        if "versions=" not in asked.target:
            return answer
        head, first, rest = answer.body.partition(b"<Version>")
        one, end, others = rest.partition(b"</Version>")
        if fault == "a key twice":
            return replace(answer, body=head + first + one + end + first + one + end + others)
        return replace(answer, body=answer.body.replace(b"<IsTruncated>false", b"<IsTruncated>true"))

    relay.rule = twice
    with pytest.raises(IntegrityError, match="the listing of the bucket is incomplete"):
        run.target.apply("A", suspects=[])
    assert [asked for asked in relay.seen if asked.method in {"DELETE", "POST"}] == []
    relay.rule = plain
    run.target.apply("A", suspects=[])
    assert run.content() == {b"a": b"1", b"locked/b": b"2"}


@pytest.mark.parametrize("size", [2 * MIB, 13 * MIB], ids=["at once", "in parts"])
def test_between_two_endpoints_the_bytes_come_through_here(
    tmp_path: Path, s3_server: CephS3, relay: Relay, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No server is asked to copy from another one, which would look for the source among its own buckets."""
    monkeypatch.setattr(copiers, "SMALL_BYTES", MIB)
    monkeypatch.setattr(copiers, "SINGLE_BYTES", 6 * MIB)
    monkeypatch.setattr(objects, "PART_BYTES", 5 * MIB)
    source, site = make_bucket(s3_server, versioned=False), make_bucket(s3_server)
    content = os.urandom(size)
    source.put({"big": content, "small": b"1"}, Metadata={"colour": "blue"})
    target = site.bucket(endpoint=relay.endpoint)
    run = Replication(tmp_path, source.tree(), lambda catalog: S3Target(target, catalog), site)
    run.replicate("A")
    written = [asked for asked in relay.seen if asked.method == "PUT" and "/root/" in asked.target]
    assert all(asked.body for asked in written)
    assert sum(len(asked.body) for asked in written) == size + 1
    assert run.content() == {b"big": content, b"small": b"1"}
    assert site.head("big")["Metadata"]["colour"] == "blue"
