"""File systems that are small, full, read-only, or mounted inside of others; these tests mount some."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from incorta_provider.exceptions import ConfigurationError, PreconditionError
from incorta_provider.storage.apply.redo_journal import Step
from incorta_provider.storage.copying.transfer import copy_delta
from incorta_provider.storage.local.mounts import mounts_below, same_mount
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.local.volume import LocalVolume
from incorta_provider.storage.manifest.manifest_file import ManifestWriter
from tests.builders.disks import mounted, remount
from tests.builders.storage import Pair, file, make_pair, put, snapshot

pytestmark = pytest.mark.lab


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", "size=100m") as disk:
        yield disk


@pytest.fixture
def pair(home: Path) -> Pair:
    return make_pair(home / "pair")


def test_the_kernel_tells_what_is_mounted_below(tmp_path: Path) -> None:
    put(tmp_path, {"a b\\c": None, "other": None})
    (tmp_path / "link").symlink_to(tmp_path)
    with mounted(tmp_path / "a b\\c"), mounted(tmp_path / "a b\\c" / "inner"):
        for root in (tmp_path, tmp_path / "link"):
            assert mounts_below(os.fsencode(root)) == [b"a b\\c", b"a b\\c/inner"]
        assert same_mount(os.fsencode(tmp_path), os.fsencode(tmp_path / "other"))
        assert not same_mount(os.fsencode(tmp_path), os.fsencode(tmp_path / "a b\\c"))
        assert LocalTree(tmp_path, ["a b*"]).mounts() == []
    assert mounts_below(os.fsencode(tmp_path)) == []


def test_a_file_system_that_is_gone_from_the_source_is_not_taken_as_deleted(pair: Pair) -> None:
    put(pair.source, {"a": b"1", "b": b"2", "nested": None})
    with mounted(pair.source / "nested") as nested:
        put(nested, {"c": b"3"})
        pair.seal("A")
        pair.seal("B", minute=1)
    workspace = pair.catalog.workspace("next")
    with pytest.raises(PreconditionError, match="nothing is mounted at nested") as caught:
        pair.copy(workspace)
    assert caught.value.where == str(pair.source)
    put(pair.source, {"nested/moved": b"3"})
    pair.seal("C", minute=2)
    (pair.source / "nested" / "moved").unlink()
    pair.seal("D", minute=3)


def test_one_that_is_gone_and_left_out_by_now_stops_nothing(pair: Pair) -> None:
    put(pair.source, {"a": b"1", "t/nested": None})
    with mounted(pair.source / "t/nested") as nested:
        put(nested, {"c": b"3"})
        pair.seal("A")
    with pytest.raises(PreconditionError, match="nothing is mounted at t/nested"):
        pair.copy(pair.catalog.workspace("next"))
    for pattern in ("t/nested", "t"):
        tree, workspace = LocalTree(pair.source, [pattern]), pair.catalog.workspace(f"without {pattern}")
        assert copy_delta(tree, pair.target, pair.base(), workspace, final=False).listed == (2 if "/" in pattern else 1)


def test_nothing_is_begun_in_a_replica_with_a_file_system_inside(pair: Pair) -> None:
    put(pair.source, {"t/a": b"1", "b": b"2"})
    pair.seal("A")
    pair.apply("A")
    put(pair.source, {"t/a": b"changed", "b": b"changed"})
    pair.seal("B", minute=1)
    with mounted(pair.live / "t"):
        with pytest.raises(ConfigurationError, match=r"mounted inside, at .*/live/t"):
            pair.apply("B")
        assert ((pair.live / "b").read_bytes(), pair.catalog.journal.exists()) == (b"2", False)
        with pytest.raises(ConfigurationError, match="mounted inside"):
            pair.target.check()
    pair.apply("B")
    assert snapshot(pair.live) == snapshot(pair.source)


def test_two_mounts_of_one_file_system_are_apart(pair: Pair) -> None:
    put(pair.source, {"a": b"1"})
    put(pair.root, {"elsewhere": None, "live": None})
    pair.seal("A")
    subprocess.run(["mount", "--bind", str(pair.root / "elsewhere"), str(pair.live)], check=True)
    try:
        with pytest.raises(ConfigurationError, match="different file systems"):
            pair.apply("A")
    finally:
        subprocess.run(["umount", str(pair.live)], check=True)
    assert not pair.catalog.journal.exists()


def test_an_apply_that_finds_no_inode_goes_on_when_there_is_one(home: Path, pair: Pair) -> None:
    put(pair.source, {"a": b"1"})
    pair.seal("A")
    pair.apply("A")
    for number in range(40):
        (pair.source / f"empty-{number}").mkdir()
    put(pair.source, {"a": b"22"})
    pair.seal("B", minute=1)
    facts = os.statvfs(home)
    remount(home, f"nr_inodes={facts.f_files - facts.f_ffree + 20}")
    with pytest.raises(PreconditionError, match="no room left") as caught:
        pair.apply("B")
    assert "inodes" in caught.value.fix
    assert pair.catalog.live_point_id() == "A"
    remount(home, "nr_inodes=100000")
    pair.apply("B")
    assert snapshot(pair.live, times=True) == snapshot(pair.source, times=True)


def test_an_apply_whose_plan_does_not_fit_changes_nothing(home: Path, pair: Pair) -> None:
    put(pair.source, {f"{number}/{'n' * 200}": b"1" for number in range(100)})
    pair.seal("A")
    remount(home, f"size={used(home)}")
    with pytest.raises(PreconditionError, match="no room left"):
        pair.apply("A")
    assert (snapshot(pair.live), pair.catalog.journal.exists()) == ({}, False)
    remount(home, "size=100m")
    pair.apply("A")
    assert snapshot(pair.live) == snapshot(pair.source)


def test_an_apply_that_becomes_read_only_goes_on_afterwards(
    home: Path, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(pair.source, {f"t/{number}": b"1" for number in range(10)})
    pair.seal("A")
    pair.apply("A")
    put(pair.source, {f"t/{number}": b"22" for number in range(10)})
    pair.seal("B", minute=1)
    do = LocalVolume.do

    def half_way(volume: LocalVolume, steps: list[Step], history: bytes) -> list[bytes]:
        do(volume, steps[:5], history)
        remount(home, "ro")
        return do(volume, steps[5:], history)

    with monkeypatch.context() as patched:
        patched.setattr(LocalVolume, "do", half_way)
        with pytest.raises(ConfigurationError, match="cannot write"):
            pair.apply("B")
    assert pair.catalog.live_point_id() == "A"
    remount(home, "rw")
    pair.apply("B")
    assert snapshot(pair.live, times=True) == snapshot(pair.source, times=True)


def test_a_manifest_that_does_not_fit_says_where(home: Path) -> None:
    put(home, {"out/x": b""})
    remount(home, f"size={used(home) + 64 * 1024}")
    entries = [file(os.urandom(100).hex().encode()) for _ in range(20_000)]
    path = home / "out" / "m"
    with pytest.raises(PreconditionError, match="no room left") as caught, ManifestWriter(path) as writer:
        writer.extend(sorted(entries))
    assert caught.value.where == str(path)
    assert [found.name for found in path.parent.iterdir()] == ["x"]


def used(home: Path) -> int:
    facts = os.statvfs(home)
    return (facts.f_blocks - facts.f_bfree) * facts.f_frsize
