"""A real tree in helper processes: what they find is what one listing finds, and their errors are ours."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from incorta_provider.dr.manifest import Entry
from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.manifest import manifest_file
from incorta_provider.storage.manifest.delta_file import delta_base, path_of, read_delta
from incorta_provider.storage.manifest.manifest_file import read_manifest
from incorta_provider.storage.survey import ranges
from tests.builders.storage import HOSTILE_NAMES, Pair, make_pair, put


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """Make a tree of 300 files in 30 folders, with hostile names; small groups of rows, for many stretches."""
    monkeypatch.setattr(manifest_file, "GROUP_ROWS", 16)
    monkeypatch.setattr(ranges, "MANY_ROWS", 20)
    pair = make_pair(tmp_path / "pair")
    put(pair.source, {f"t{number % 10}/v{number % 3}/f{number:03d}": b"%d" % number for number in range(300)})
    put(pair.source, {b"h/" + name + b"/" + name: name for name in HOSTILE_NAMES})
    (pair.source / "t1" / "link").symlink_to("v1")
    (pair.source / "empty").mkdir()
    return pair


def manifest(pair: Pair, point_id: str, minute: int) -> list[Entry]:
    pair.seal(point_id, minute=minute)
    return [entry._replace(sha256=None) for entry in read_manifest(pair.catalog.manifest_path(point_id))]


def test_points_hold_what_one_listing_shows(pair: Pair) -> None:
    assert manifest(pair, "P1", 1) == list(pair.tree.list())
    put(pair.source, {"t0/v0/f000": b"changed", "t5/new": b"1", "t9/v9/deep/er": b"2"})
    (pair.source / "t3" / "v0" / "f003").unlink()
    assert manifest(pair, "P2", 2) == list(pair.tree.list())
    delta = pair.catalog.point_dir("P2") / "delta.parquet"
    assert delta_base(delta) == "P1"
    at_v0 = [b"t0/v0/f000", b"t3/v0", b"t3/v0/f003"]
    added = [b"t5", b"t5/new", b"t9", b"t9/v9", b"t9/v9/deep", b"t9/v9/deep/er"]
    assert [path_of(change) for change in read_delta(delta)] == at_v0 + added


def test_a_point_in_which_nothing_changed_has_the_manifest_of_the_one_before(pair: Pair) -> None:
    manifest(pair, "P1", 1)
    manifest(pair, "P2", 2)
    one, two = (pair.catalog.manifest_path(point_id).stat() for point_id in ("P1", "P2"))
    assert one.st_ino == two.st_ino
    assert list(read_delta(pair.catalog.point_dir("P2") / "delta.parquet")) == []


def test_what_a_pass_wrote_down_follows_what_changed(pair: Pair) -> None:
    """B43 in small: a pre-copy of an unchanged tree leaves no manifest."""
    manifest(pair, "P1", 1)
    workspace = pair.catalog.workspace("next")
    pair.copy(workspace)
    assert not workspace.manifest.exists()
    written = [path for path in workspace.root.rglob("*.parquet") if list(read_delta(path))]
    assert written == []


def test_what_may_not_be_in_a_point_is_refused_from_a_helper_too(pair: Pair) -> None:
    manifest(pair, "P1", 1)
    os.mkfifo(pair.source / "t7" / "pipe")
    with pytest.raises(IntegrityError, match="t7/pipe is a device, socket or pipe"):
        pair.copy(pair.catalog.workspace("next"), final=True)
