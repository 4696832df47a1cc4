"""Versions that nobody can delete: each way to write protects them, and a run that is given up holds up no other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.mending import mend_replica
from incorta_provider.storage.s3 import copiers, objects
from incorta_provider.storage.s3.lock import ObjectLock
from incorta_provider.storage.tree import Tree
from lab.servers.ceph import CephS3
from tests.builders.s3 import TestBucket, make_bucket
from tests.builders.storage import put
from tests.integration.storage.s3.replication import Replication

pytestmark = pytest.mark.lab

MIB = 1 << 20
LOCK = ObjectLock("COMPLIANCE", 1)


@pytest.fixture
def site(s3_server: CephS3) -> TestBucket:
    return make_bucket(s3_server, lock=True)


def locked(root: Path, site: TestBucket, source: Tree | None = None, lock: ObjectLock = LOCK) -> Replication:
    (root / "source").mkdir(exist_ok=True)
    tree = source or LocalTree(root / "source")
    return Replication(root, tree, lambda catalog: site.target(catalog, lock), site)


def ensure_locked(site: TestBucket, key: str) -> None:
    head = site.head(key)
    assert head["ObjectLockMode"] == "COMPLIANCE"
    with pytest.raises(ClientError, match="AccessDenied"):
        site.sdk.delete_object(Bucket=site.name, Key=f"root/{key}", VersionId=head["VersionId"])


def test_a_file_that_goes_up_in_parts_is_protected(
    tmp_path: Path, site: TestBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "PART_BYTES", 5 * MIB)
    monkeypatch.setattr(copiers, "SINGLE_BYTES", 6 * MIB)
    run = locked(tmp_path, site)
    content = os.urandom(7 * MIB)
    put(tmp_path / "source", {"big": content, "small": b"1"})
    run.replicate("A")
    assert run.content() == {b"big": content, b"small": b"1"}
    for key in ("big", "small"):
        ensure_locked(site, key)


@pytest.mark.parametrize("copy_bytes", [5 * 1024 * MIB, 6 * MIB], ids=["at once", "in parts"])
def test_a_copy_on_the_server_is_protected(
    tmp_path: Path, s3_server: CephS3, site: TestBucket, monkeypatch: pytest.MonkeyPatch, copy_bytes: int
) -> None:
    monkeypatch.setattr(copiers, "SMALL_BYTES", MIB)
    monkeypatch.setattr(objects, "COPY_BYTES", copy_bytes)
    monkeypatch.setattr(objects, "COPY_PART_BYTES", 5 * MIB)
    source = make_bucket(s3_server, versioned=False)
    source.put({"big": os.urandom(7 * MIB)})
    run = locked(tmp_path, site, source.tree())
    run.replicate("A")
    assert run.content() == source.content()
    ensure_locked(site, "big")


def test_a_version_that_an_apply_brings_back_is_protected_anew(tmp_path: Path, site: TestBucket) -> None:
    run = locked(tmp_path, site)
    put(tmp_path / "source", {"a": b"1"})
    run.replicate("A")
    put(tmp_path / "source", {"a": b"22"})
    run.replicate("B")
    run.target.apply("A")
    assert run.content() == {b"a": b"1"}
    ensure_locked(site, "a")


def test_a_run_that_is_given_up_with_locked_versions_holds_up_no_other(
    tmp_path: Path, site: TestBucket, caplog: pytest.LogCaptureFixture
) -> None:
    run = locked(tmp_path, site)
    put(tmp_path / "source", {"a": b"1"})
    run.replicate("A")
    put(tmp_path / "source", {"a": b"22", "c": b"33"})
    run.copy("B", final=True)
    run.catalog.discard_others("none", run.target.discard)
    assert "2 given-up version(s) stay for now: root/" in caplog.text
    assert caplog.text.count(": AccessDenied") == 2
    assert not (run.catalog.root / "bin").exists()
    assert run.target.waiting() == {b"a", b"c"}
    run.target.apply("A")
    assert run.content() == {b"a": b"1"}
    assert run.verify("A").equal
    run.replicate("C")
    assert run.content() == {b"a": b"22", b"c": b"33"}


def test_what_was_fetched_in_vain_for_a_repair_is_taken_back_later_though_it_is_locked(
    tmp_path: Path, site: TestBucket
) -> None:
    run = locked(tmp_path, site, lock=ObjectLock("GOVERNANCE", 1))
    put(tmp_path / "source", {"a": b"1", "b": b"2"})
    run.replicate("A")
    for key in ("root/a", "root/b"):
        version = site.sdk.head_object(Bucket=site.name, Key=key)["VersionId"]
        site.sdk.delete_object(Bucket=site.name, Key=key, VersionId=version, BypassGovernanceRetention=True)
    put(tmp_path / "source", {"b": b"9"})
    with pytest.raises(IntegrityError, match="1 version"):
        mend_replica(run.target, run.catalog, "A", run.verify("A"), [run.source])
    assert run.content() == {b"a": b"1", b"b": b"9"}
    assert run.target.waiting() == {b"b"}
    run.replicate("B")
    assert run.content() == {b"a": b"1", b"b": b"9"}
    assert run.verify("B").equal
