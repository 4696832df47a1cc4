"""Large objects, many keys, and versions that nobody can delete: against the real server."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from incorta_provider.dr.manifest import Entry
from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.s3 import copiers, download, listing, objects
from incorta_provider.storage.s3.bucket import Bucket, Request
from incorta_provider.storage.s3.foldered import FolderedTree
from incorta_provider.storage.s3.listing import versions
from incorta_provider.storage.s3.lock import ObjectLock
from incorta_provider.storage.s3.objects import abort_uploads
from incorta_provider.storage.s3.target import S3Target
from incorta_provider.storage.s3.tree import S3Tree
from lab.servers.ceph import CephS3
from tests.builders.s3 import TestBucket, make_bucket
from tests.builders.s3_relay import Answered, Asked, Forward, relayed
from tests.builders.storage import EPOCH, put
from tests.integration.storage.s3.replication import Replication

pytestmark = pytest.mark.lab

MIB = 1 << 20


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make objects of some megabytes large: S3 itself asks for parts of 5 MiB and more."""
    monkeypatch.setattr(objects, "PART_BYTES", 5 * MIB)
    monkeypatch.setattr(copiers, "SINGLE_BYTES", 6 * MIB)
    monkeypatch.setattr(copiers, "SMALL_BYTES", MIB)
    monkeypatch.setattr(objects, "COPY_BYTES", 6 * MIB)
    monkeypatch.setattr(objects, "COPY_PART_BYTES", 5 * MIB)
    monkeypatch.setattr(download, "RANGE_BYTES", 2 * MIB)


@pytest.mark.usefixtures("small_limits")
def test_a_large_object_is_copied_on_the_server_with_all_that_belongs_to_it(tmp_path: Path, s3_server: CephS3) -> None:
    """B01, with the limit of one copy lowered from 5 GiB to 6 MiB."""
    source, site = make_bucket(s3_server, versioned=False), make_bucket(s3_server)
    content = os.urandom(13 * MIB + 1)
    source.put({"big": content, "middle": content[: 2 * MIB]}, Metadata={"colour": "blue"}, Tagging="team=a")
    with relayed(s3_server.endpoint) as relay:
        run = Replication(
            tmp_path,
            FolderedTree(source.bucket(endpoint=relay.endpoint)),
            lambda catalog: _through(site, relay.endpoint, catalog),
            site,
        )
        run.replicate("A")
        sent = sum(len(asked.body) for asked in relay.seen)
        assert run.verify("A").equal
    assert sent < MIB
    assert run.content() == {b"big": content, b"middle": content[: 2 * MIB]}
    assert site.head("big")["ETag"].strip('"').endswith("-3")
    for key, size in (("big", len(content)), ("middle", 2 * MIB)):
        head = site.head(key)
        assert head["Metadata"]["colour"] == "blue"
        assert head["Metadata"]["incorta-sha256"] == hashlib.sha256(content[:size]).hexdigest()
        tags = site.sdk.get_object_tagging(Bucket=site.name, Key=f"root/{key}")["TagSet"]
        assert tags == [{"Key": "team", "Value": "a"}]
    digests = {entry.path: entry.sha256 for entry in run.manifest("A")}
    assert digests[b"big"] == hashlib.sha256(content).digest()


def _through(site: TestBucket, endpoint: str, catalog: Catalog) -> S3Target:
    return S3Target(site.bucket(endpoint=endpoint), catalog)


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("user", ["lab", "second"])
def test_a_large_object_from_another_account_comes_through_here(tmp_path: Path, s3_server: CephS3, user: str) -> None:
    source, site = make_bucket(s3_server, versioned=False, user=user), make_bucket(s3_server)
    content = os.urandom(7 * MIB)
    source.put({"big": content}, Metadata={"colour": "blue"})
    run = Replication(tmp_path, source.tree(), site.target, site)
    run.replicate("A")
    assert run.content() == {b"big": content}
    assert site.head("big")["Metadata"]["colour"] == "blue"


@pytest.mark.usefixtures("small_limits")
def test_a_large_file_goes_up_in_parts_and_comes_back(tmp_path: Path, s3_server: CephS3) -> None:
    site = make_bucket(s3_server)
    content = os.urandom(12 * MIB + 7)
    put(tmp_path / "source", {"big": content})
    run = Replication(tmp_path, LocalTree(tmp_path / "source"), site.target, site)
    run.replicate("A")
    assert run.content() == {b"big": content}
    put(tmp_path / "source", {"big": b"small"})
    run.replicate("B")
    run.target.apply("A")
    assert run.content() == {b"big": content}
    assert site.head("big")["Metadata"]["incorta-sha256"] == hashlib.sha256(content).hexdigest()
    (entry,) = S3Tree(site.bucket()).list()
    fetched = S3Tree(site.bucket()).fetch(entry, bytes(tmp_path / "into"))
    assert isinstance(fetched, Entry)
    assert (tmp_path / "into").read_bytes() == content
    assert fetched.sha256 == hashlib.sha256(content).digest()


@pytest.mark.usefixtures("small_limits")
def test_a_disk_that_takes_a_part_of_what_is_written_gets_the_rest(
    tmp_path: Path, s3_server: CephS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one does that becomes full and has room again: a part that nobody wrote would be a hole."""
    source = make_bucket(s3_server, versioned=False)
    content = os.urandom(9 * MIB)
    source.put({"big": content})
    (entry,) = S3Tree(source.bucket()).list()
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda handle, data, at: write(handle, bytes(data[: len(data) // 2 + 1]), at))
    fetched = S3Tree(source.bucket()).fetch(entry, bytes(tmp_path / "into"))
    assert isinstance(fetched, Entry)
    assert (tmp_path / "into").read_bytes() == content


@pytest.mark.usefixtures("small_limits")
def test_an_upload_that_fails_leaves_no_parts(tmp_path: Path, s3_server: CephS3) -> None:
    site = make_bucket(s3_server)
    put(tmp_path / "source", {"big": os.urandom(12 * MIB)})

    def damage(asked: Asked, forward: Forward) -> Answered | None:
        answer = forward(asked.body)
        if "partNumber=2" not in asked.target:
            return answer
        kept = [(name, value) for name, value in answer.headers if name.lower() != "etag"]
        return Answered(answer.status, [*kept, ("etag", f'"{"0" * 32}"')], answer.body)

    with relayed(s3_server.endpoint) as relay:
        relay.rule = damage
        bucket = site.bucket(endpoint=relay.endpoint)
        file = tmp_path / "source/big"
        with file.open("rb") as stream, pytest.raises(TransientError, match="other content than was sent"):
            objects.put_in_parts(bucket, b"root/big", stream, file.stat().st_size, b"", {})
    assert "Uploads" not in site.sdk.list_multipart_uploads(Bucket=site.name)


def test_uploads_that_a_killed_process_left_are_given_up(s3_server: CephS3) -> None:
    site = make_bucket(s3_server)
    site.sdk.create_multipart_upload(Bucket=site.name, Key="root/it's & <odd>")
    assert abort_uploads(site.bucket(), EPOCH.replace(year=2020)) == 0
    assert abort_uploads(site.bucket(), EPOCH.replace(year=2100)) == 1
    assert "Uploads" not in site.sdk.list_multipart_uploads(Bucket=site.name)


def test_a_listing_of_many_pages_has_each_key_once(s3_server: CephS3) -> None:
    """B02: 2,500 keys, odd ones among them."""
    source = make_bucket(s3_server, versioned=False)
    odd = ["a b+c%20&d", "ü/表🙂", "dir/", "x'y\"z<>", "new\nline", "tab\there", "%2e%2e%2f", "~*()!$,;:@="]
    keys = [f"n/{number:04d}" for number in range(2500 - len(odd))] + odd
    bucket = source.bucket()
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda key: _put(bucket, key), keys))
    found = [entry.path for entry in S3Tree(bucket).list()]
    assert found == sorted(key.encode() for key in keys)
    cuts = [b"", *S3Tree(bucket).cuts(4), b"n/1000", b"n/2000"]
    ends = [*sorted(set(cuts))[1:], None]
    pieces = [
        entry.path
        for begin, end in zip(sorted(set(cuts)), ends, strict=True)
        for entry in S3Tree(bucket).list(begin, end)
    ]
    assert pieces == found


def test_a_listing_of_versions_of_many_pages_has_each_once(s3_server: CephS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PAGE_KEYS", 3)
    bucket = make_bucket(s3_server).bucket()
    keys = ["+%2B", "a b", "a+b", "a%20b", "ü", "x'y"]
    for key in [*keys, *keys, "a b"]:
        _put(bucket, key)
    found = list(versions(bucket))
    assert [one.key for one in found if one.latest] == sorted(b"root/" + key.encode() for key in keys)
    assert len({(one.key, one.version) for one in found}) == len(found) == 2 * len(keys) + 1
    behind = [one for one in found if one.key > b"root/a b"]
    assert list(versions(bucket, after=b"root/a b"))[-len(behind) :] == behind


def _put(bucket: Bucket, key: str) -> None:
    bucket.send(Request("PUT", b"root/" + key.encode(), body=b"" if key.endswith("/") else b"x"))


def test_a_locked_version_cannot_be_deleted_and_is_reported(
    tmp_path: Path, s3_server: CephS3, caplog: pytest.LogCaptureFixture
) -> None:
    site = make_bucket(s3_server, lock=True)
    put(tmp_path / "source", {"a": b"1"})
    lock = ObjectLock("COMPLIANCE", 1)
    run = Replication(tmp_path, LocalTree(tmp_path / "source"), lambda catalog: site.target(catalog, lock), site)
    run.replicate("A")
    put(tmp_path / "source", {"a": b"22"})
    run.replicate("B")
    version = next(entry.version for entry in run.manifest("A"))
    assert version is not None
    with pytest.raises(ClientError, match="AccessDenied"):
        site.sdk.delete_object(Bucket=site.name, Key="root/a", VersionId=version.decode())
    found = list(run.target.leftovers([run.catalog.manifest_path("B")], []))
    assert len(found) == 1
    run.target.forget(place for place, _ in found)
    assert "a version stays for now" in caplog.text
    run.target.apply("A")
    assert run.content() == {b"a": b"1"}


def test_a_bucket_without_object_lock_is_refused_where_that_is_asked_for(tmp_path: Path, s3_server: CephS3) -> None:
    site = make_bucket(s3_server)
    run = Replication(
        tmp_path, LocalTree(tmp_path), lambda catalog: site.target(catalog, ObjectLock("GOVERNANCE", 1)), site
    )
    with pytest.raises(ConfigurationError, match="the bucket has none"):
        run.target.check()


def test_a_parquet_file_that_is_not_whole_stays_out_of_the_point(tmp_path: Path, s3_server: CephS3) -> None:
    source, site = make_bucket(s3_server, versioned=False), make_bucket(s3_server)
    source.put({"bad.parquet": b"PAR1 half of a file", "good": b"1"})
    run = Replication(tmp_path, source.tree(), site.target, site)
    run.replicate("A")
    assert run.content() == {b"good": b"1"}
    assert [entry.path for entry in run.manifest("A")] == [b"good"]
