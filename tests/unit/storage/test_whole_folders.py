"""New folders go into the replica by one rename each, but only as the point has them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from incorta_provider.storage.apply.changes import Compared, changes_to
from incorta_provider.storage.apply.plan import ApplyPlan
from incorta_provider.storage.apply.redo_journal import Step, Verb
from incorta_provider.storage.vault.areas import CatalogAreas
from incorta_provider.storage.vault.vault import Vault
from tests.builders.storage import NS, Pair, make_pair, put, snapshot

State = dict[bytes, tuple[object, ...]]


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """Point A is applied; then a load job wrote a new version of a table."""
    pair = make_pair(tmp_path / "pair")
    put(pair.source, {"t/v1/a": b"1", "t/log": b"1"})
    pair.seal("A")
    pair.apply("A")
    put(pair.source, {"t/v2/a": b"22", "t/v2/b": b"333", "t/v2/deep/c": b"1", "t/v2/deep/none": None, "t/log": b"2"})
    (pair.source / "t" / "v2" / "link").symlink_to("a")
    (pair.source / "t" / "v2" / "deep").chmod(0o750)
    os.utime(pair.source / "t" / "v2", ns=(1, NS))
    return pair


def seal(pair: Pair, name: str = "B", minute: int = 1) -> State:
    pair.seal(name, minute=minute)
    return snapshot(pair.source, times=True)


def plan(pair: Pair, point: str = "B") -> list[Step]:
    vault = Vault(pair.catalog, pair.target.volume, CatalogAreas())
    way = changes_to(pair.catalog, pair.catalog.live_point_id(), point)
    return list(ApplyPlan(vault, point, way, unmanaged=pair.catalog.live_point_id() is None).steps())


def trees(pair: Pair, point: str = "B") -> list[tuple[bytes, int]]:
    return [(step.path, step.files) for step in plan(pair, point) if step.verb is Verb.TREE]


def test_a_new_folder_is_one_rename_and_its_files_none(pair: Pair) -> None:
    expected = seal(pair)
    assert [(step.verb, step.path) for step in plan(pair)] == [
        ("folder", b"t"),
        ("place", b"t/log"),
        ("tree", b"t/v2"),
        ("folder", b"t/v2/deep"),
        ("folder", b"t/v2/deep/none"),
        ("link", b"t/v2/link"),
    ]
    report = pair.apply("B")
    assert (report.moved, report.removed, report.kept) == (4, 0, 1)
    assert snapshot(pair.live, times=True) == expected
    assert (pair.live / "t" / "v2").stat().st_mtime_ns == NS


def test_a_first_point_is_a_rename_for_each_top_folder(tmp_path: Path) -> None:
    pair = make_pair(tmp_path / "first")
    put(pair.source, {"a/x/1": b"1", "a/y/2": b"1", "b/z/3": b"1", "top": b"1", "empty": None})
    put(pair.live, {"a/foreign": b"f"})
    expected = seal(pair, "A")
    assert trees(pair, "A") == [(b"a", 2), (b"b", 1)]
    pair.apply("A")
    assert snapshot(pair.live, times=True) == expected
    assert (pair.catalog.history / "unmanaged" / "files" / "a" / "foreign").read_bytes() == b"f"


def test_the_way_back_and_forward_again_is_exact(pair: Pair) -> None:
    at_a = snapshot(pair.live, times=True)
    at_b = seal(pair)
    for point, state in (("B", at_b), ("A", at_a), ("B", at_b), ("A", at_a)):
        pair.apply(point)
        assert snapshot(pair.live, times=True) == state


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: put(folder, {"of nobody": b""}),
        lambda folder: put(folder, {"empty": None}),
        lambda folder: os.mkfifo(folder / "pipe"),
        lambda folder: os.utime(folder / "b", ns=(1, 1)),
        lambda folder: (folder / "b").chmod(0o600),
    ],
    ids=["one file more", "a folder more", "a special file", "another time", "another mode"],
)
def test_a_folder_that_is_not_what_the_point_has_is_moved_file_by_file(
    pair: Pair, spoil: Callable[[Path], None]
) -> None:
    expected = seal(pair)
    spoil(pair.catalog.point_dir("B") / "files" / "t" / "v2")
    assert (b"t/v2", 3) not in trees(pair)
    pair.apply("B")
    assert snapshot(pair.live, times=True) == expected


def test_a_folder_that_lacks_a_file_is_no_whole(pair: Pair) -> None:
    seal(pair)
    kept = pair.catalog.history / "elsewhere" / "files" / "t" / "v2"
    kept.mkdir(parents=True)
    (pair.catalog.point_dir("B") / "files" / "t" / "v2" / "b").rename(kept / "b")
    assert trees(pair) == [(b"t/v2/deep", 1)]
    pair.apply("B")
    assert snapshot(pair.live, times=True) == snapshot(pair.source, times=True)


def test_an_odd_part_does_not_hold_up_its_neighbours(pair: Pair) -> None:
    put(pair.source, {"u/1/a": b"1", "u/2/b": b"1"})
    seal(pair)
    put(pair.catalog.point_dir("B") / "files" / "u" / "2", {"odd": b""})
    assert trees(pair) == [(b"t/v2", 3), (b"u/1", 1)]


def test_what_stands_in_the_way_by_hand_is_kept(pair: Pair) -> None:
    expected = seal(pair)
    put(pair.live, {"t/v2/by hand": b"1"})
    pair.apply("B")
    assert snapshot(pair.live, times=True) == expected
    assert (pair.catalog.history / "A" / "files" / "t" / "v2" / "by hand").read_bytes() == b"1"


def test_over_a_point_that_was_not_applied_manifests_are_compared(pair: Pair) -> None:
    seal(pair)
    put(pair.source, {"t/v3/a": b"1"})
    shutil.rmtree(pair.source / "t" / "v1")
    expected = seal(pair, "C", 2)
    assert isinstance(changes_to(pair.catalog, "A", "C"), Compared)
    pair.apply("C")
    assert snapshot(pair.live, times=True) == expected


def test_nothing_of_the_manifest_is_read_on_the_way_along_a_delta(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an apply costs follows what changed, not the size of the tree."""
    at_a = snapshot(pair.live, times=True)
    at_b = seal(pair)

    def refuse(*_: object) -> None:
        raise AssertionError("a manifest was read")

    for name in ("select", "read_manifest", "differing"):
        monkeypatch.setattr(f"incorta_provider.storage.apply.changes.{name}", refuse)
    pair.apply("B")
    assert snapshot(pair.live, times=True) == at_b
    pair.apply("A")
    assert snapshot(pair.live, times=True) == at_a
