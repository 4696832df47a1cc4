"""Recovery points in a real versioned bucket: from folders and from buckets, forward and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from incorta_provider.exceptions import IntegrityError, TransientError
from incorta_provider.storage.local.target import LocalTarget
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.mending import mend_replica
from incorta_provider.storage.s3 import apply as apply_module
from incorta_provider.storage.s3.objects import delete
from lab.servers.ceph import CephS3
from tests.builders.s3 import make_bucket
from tests.builders.storage import put, snapshot
from tests.integration.storage.s3.replication import Replication

pytestmark = pytest.mark.lab


def from_folder(root: Path, server: CephS3) -> Replication:
    site = make_bucket(server)
    (root / "source").mkdir()
    return Replication(root, LocalTree(root / "source"), site.target, site)


def test_a_folder_becomes_keys_and_each_point_can_be_had_again(tmp_path: Path, s3_server: CephS3) -> None:
    run = from_folder(tmp_path, s3_server)
    put(tmp_path / "source", {"a": b"1", "t/x.parquet.bak": b"x" * 5000, "t/gone": b"2"})
    run.replicate("A")
    assert run.content() == {b"a": b"1", b"t/x.parquet.bak": b"x" * 5000, b"t/gone": b"2"}
    (tmp_path / "source/t/gone").unlink()
    put(tmp_path / "source", {"a": b"22", "new": b"3"})
    run.replicate("B")
    assert run.content() == {b"a": b"22", b"t/x.parquet.bak": b"x" * 5000, b"new": b"3"}
    for point, expected in (("A", b"1"), ("B", b"22"), ("A", b"1")):
        run.target.apply(point)
        assert run.content()[b"a"] == expected
        assert (b"new" in run.content()) == (point == "B")
        assert (b"t/gone" in run.content()) == (point == "A")
        assert run.verify(point).equal


def test_a_bucket_is_copied_key_by_key(tmp_path: Path, s3_server: CephS3) -> None:
    source, site = make_bucket(s3_server, versioned=False), make_bucket(s3_server)
    odd = {"a": b"1", "a/b": b"2", "dir/": b"", "../up": b"3", "blank and +%26&<>\"'": b"4", "ü/é": b"5", "x//y": b"6"}
    source.put(odd, Metadata={"colour": "blue"}, ContentType="text/x", Tagging="team=a%20b&x=1")
    run = Replication(tmp_path, source.tree(), site.target, site)
    run.replicate("A")
    assert run.content() == {key.encode(): content for key, content in odd.items()}
    head = site.head("a/b")
    assert head["Metadata"]["colour"] == "blue"
    assert head["ContentType"] == "text/x"
    tags = site.sdk.get_object_tagging(Bucket=site.name, Key="root/a/b")["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"team": "a b", "x": "1"}
    assert run.replicate("B").copied_files == 0
    source.put({"a": b"9"})
    assert run.replicate("C").copied_files == 1
    assert run.content()[b"a"] == b"9"
    assert run.verify("C").equal


def test_a_bucket_becomes_folders(tmp_path: Path, s3_server: CephS3) -> None:
    source = make_bucket(s3_server, versioned=False)
    source.put({"a-b": b"1", "a/x": b"2", "a/deep/y": b"3", "empty/": b"", "a.c": b"4"})

    def target(catalog: object) -> LocalTarget:
        return LocalTarget(tmp_path / "live", run.catalog)

    run = Replication(tmp_path, source.tree(), target, None)
    run.replicate("A")
    found = snapshot(tmp_path / "live")
    assert {name: kind[0] for name, kind in found.items()} == {
        b"a-b": "file",
        b"a": "dir",
        b"a/x": "file",
        b"a/deep": "dir",
        b"a/deep/y": "file",
        b"empty": "dir",
        b"a.c": "file",
    }
    assert found[b"a/deep/y"][2] == b"3"
    assert run.replicate("B").copied_files == 0
    source.remove("a/x", "empty/")
    run.replicate("C")
    assert set(snapshot(tmp_path / "live")) == {b"a-b", b"a", b"a/deep", b"a/deep/y", b"a.c"}


@pytest.mark.parametrize("key", ["../up", "x//y", "t", "./z"])
def test_keys_that_no_folder_can_hold_are_refused_by_name(tmp_path: Path, s3_server: CephS3, key: str) -> None:
    source = make_bucket(s3_server, versioned=False)
    source.put({"t/x": b"1", key: b"2"})
    run = Replication(tmp_path, source.tree(), lambda catalog: LocalTarget(tmp_path / "live", catalog), None)
    with pytest.raises(IntegrityError, match=key.replace(".", r"\.")):
        run.seal("A")
    assert run.catalog.points() == []


def test_what_a_run_that_never_sealed_staged_is_mended(tmp_path: Path, s3_server: CephS3) -> None:
    run = from_folder(tmp_path, s3_server)
    put(tmp_path / "source", {"a": b"1", "b": b"1"})
    run.replicate("A")
    put(tmp_path / "source", {"a": b"22", "c": b"33"})
    run.copy("B", final=True)
    assert run.content() == {b"a": b"22", b"b": b"1", b"c": b"33"}
    run.target.apply("A")
    assert run.content() == {b"a": b"1", b"b": b"1"}
    run.replicate("B")
    assert run.content() == {b"a": b"22", b"b": b"1", b"c": b"33"}
    assert run.verify("B").equal


def test_what_is_given_up_is_gone(tmp_path: Path, s3_server: CephS3) -> None:
    run = from_folder(tmp_path, s3_server)
    put(tmp_path / "source", {"a": b"1"})
    run.replicate("A")
    put(tmp_path / "source", {"a": b"22", "c": b"33"})
    run.copy("B", final=True)
    run.catalog.discard_others("none", run.target.discard)
    assert run.content() == {b"a": b"1"}
    run.replicate("C")
    assert run.content() == {b"a": b"22", b"c": b"33"}


def test_a_drifted_bucket_is_found_and_repaired(tmp_path: Path, s3_server: CephS3) -> None:
    run = from_folder(tmp_path, s3_server)
    put(tmp_path / "source", {"a": b"1", "b": b"2", "c": b"3"})
    run.replicate("A")
    assert run.site is not None
    run.site.put({"a": b"x", "by-hand": b"4"})
    run.site.remove("b")
    report = run.verify("A", deep=False)
    assert (report.different, report.missing, report.unexpected) == ((b"a",), (b"b",), (b"by-hand",))
    run.target.apply("A", suspects=report.different)
    assert run.content() == {b"a": b"1", b"b": b"2", b"c": b"3"}
    assert run.verify("A").equal


def test_a_point_whose_version_is_gone_is_refused_before_anything_changes(tmp_path: Path, s3_server: CephS3) -> None:
    run = from_folder(tmp_path, s3_server)
    put(tmp_path / "source", {"a": b"1", "b": b"2"})
    run.replicate("A")
    put(tmp_path / "source", {"a": b"22", "b": b"33"})
    run.replicate("B")
    bucket = run.target.bucket
    version = next(entry.version for entry in run.manifest("A") if entry.path == b"b")
    delete(bucket, [(bucket.place.key(b"b"), version)])
    with pytest.raises(IntegrityError, match="1 version"):
        run.target.apply("A")
    assert run.content() == {b"a": b"22", b"b": b"33"}
    run.target.apply("B")


def test_an_apply_that_cannot_be_finished_blocks_no_other_point(
    tmp_path: Path, s3_server: CephS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the middle, and then a lifecycle rule removes a version that its journal names."""
    run = from_folder(tmp_path, s3_server)
    put(tmp_path / "source", {"a": b"1", "b": b"2"})
    run.replicate("A")
    put(tmp_path / "source", {"a": b"22", "b": b"33"})
    run.replicate("B")
    bucket = run.target.bucket

    def killed(*_: object) -> None:
        raise TransientError("killed", where="here", fix="Retry.")

    with monkeypatch.context() as patch:
        patch.setattr(apply_module, "copy", killed)
        with pytest.raises(TransientError, match="killed"):
            run.target.apply("A")
    assert run.catalog.journal.exists()
    version = next(entry.version for entry in run.manifest("A") if entry.path == b"b")
    delete(bucket, [(bucket.place.key(b"b"), version)])
    for _ in range(2):
        with pytest.raises(IntegrityError, match=r"1 version.* of the recovery point are not in the bucket:\n  b"):
            run.target.apply("A")
    run.target.apply("B")
    assert run.content() == {b"a": b"22", b"b": b"33"}
    assert run.verify("B").equal
    assert not run.catalog.journal.exists()


def test_what_a_pre_copy_stages_is_told_from_drift(tmp_path: Path, s3_server: CephS3) -> None:
    run = from_folder(tmp_path, s3_server)
    put(tmp_path / "source", {"a": b"1", "b": b"1"})
    run.replicate("A")
    put(tmp_path / "source", {"a": b"22", "c": b"33"})
    run.copy("B", final=False)
    assert run.site is not None
    run.site.put({"b": b"by hand"})
    report = run.verify("A", deep=False)
    assert (report.different, report.unexpected) == ((b"a", b"b"), (b"c",))
    report = report.without(run.target.waiting())
    assert (report.different, report.unexpected, report.waiting) == ((b"b",), (), 2)
    run.replicate("B")
    assert run.target.waiting() == set()
    assert run.verify("B").different == (b"b",)


def test_a_lost_version_is_fetched_again_and_stays(tmp_path: Path, s3_server: CephS3) -> None:
    run = from_folder(tmp_path, s3_server)
    put(tmp_path / "source", {"a": b"1", "b": b"2"})
    run.replicate("A")
    bucket = run.target.bucket
    version = next(entry.version for entry in run.manifest("A") if entry.path == b"b")
    delete(bucket, [(bucket.place.key(b"b"), version)])
    report = run.verify("A")
    assert report.missing == (b"b",)
    mend_replica(run.target, run.catalog, "A", report, [run.source])
    assert run.content() == {b"a": b"1", b"b": b"2"}
    assert run.verify("A").equal
    put(tmp_path / "source", {"b": b"33"})
    run.replicate("B")
    retained = [run.catalog.manifest_path(point) for point in ("A", "B")]
    run.target.forget(place for place, _ in run.target.leftovers(retained, []))
    run.target.apply("A")
    assert run.content() == {b"a": b"1", b"b": b"2"}


def test_leftovers_are_what_no_point_names(tmp_path: Path, s3_server: CephS3) -> None:
    run = from_folder(tmp_path, s3_server)
    for number in range(4):
        put(tmp_path / "source", {"a": b"1" * (number + 1), f"only-{number}": b"x"})
        (tmp_path / f"source/only-{number - 1}").unlink(missing_ok=True)
        run.replicate(f"P{number}")
    retained = [run.catalog.manifest_path(point) for point in ("P2", "P3")]
    found = list(run.target.leftovers(retained, []))
    assert sum(size for _, size in found) == 1 + 2 + 1 + 1
    run.target.forget(place for place, _ in found)
    assert list(run.target.leftovers(retained, [])) == []
    run.target.apply("P2")
    assert run.content() == {b"a": b"111", b"only-2": b"x"}
    run.target.apply("P3")
    assert run.verify("P3").equal
