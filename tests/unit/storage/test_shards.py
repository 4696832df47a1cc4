"""A pass that is split: what others copy is the next pass's, whatever became of them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.exceptions import PreconditionError, TransientError
from incorta_provider.storage.copying.free_space import RESERVE_BYTES, Room
from incorta_provider.storage.copying.shards import ShardReport, copy_shard
from incorta_provider.storage.copying.staged_index import newest
from incorta_provider.storage.copying.transfer import CopyReport, copy_delta
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.flow.oversight import Controls
from incorta_provider.storage.flow.shards import ShardSize
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.manifest.manifest_file import read_manifest
from incorta_provider.storage.tree import Missed
from tests.builders.storage import HOSTILE_NAMES, Pair, make_pair, put, snapshot

FILES = 96
"""In the source: four shards of 24."""

SPLIT = ShardSize(files=25, size=10**9)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    pair = make_pair(tmp_path)
    put(pair.source, {f"t{number % 7}/f{number:03d}": b"%03d" % number for number in range(FILES - len(HOSTILE_NAMES))})
    put(pair.source, dict.fromkeys(HOSTILE_NAMES, b"hos"))
    return pair


@pytest.fixture
def workspace(pair: Pair) -> Workspace:
    return pair.catalog.workspace("run 1")


class Counting(LocalTree):
    """A source that says what was fetched."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.fetched: list[bytes] = []

    def fetch(self, entry: Entry, into: bytes) -> Entry | Missed:
        self.fetched.append(entry.path)
        return super().fetch(entry, into)


def run_pass(pair: Pair, workspace: Workspace, *, final: bool = False, source: LocalTree | None = None) -> CopyReport:
    tree, split = source or pair.tree, None if final else SPLIT
    return copy_delta(tree, pair.target, pair.base(), workspace, final=final, split=split)


def copy(pair: Pair, workspace: Workspace, number: int, source: LocalTree | None = None) -> ShardReport:
    return copy_shard(source or pair.tree, pair.target, workspace, number, Controls())


def indexed(workspace: Workspace) -> list[bytes]:
    return [entry.path for index in workspace.indexes() for entry in newest([index])]


def files_in(folder: Path) -> dict[bytes, tuple[object, ...]]:
    return {path: facts for path, facts in snapshot(folder).items() if facts[0] == "file"}


def files_of(pair: Pair) -> list[bytes]:
    return sorted(entry.path for entry in pair.tree.list() if entry.kind is Kind.FILE)


def test_shards_and_a_final_pass_stage_what_one_pass_would(pair: Pair, workspace: Workspace) -> None:
    report = run_pass(pair, workspace)
    assert report.shards == (0, 1, 2, 3)
    assert (report.copied_files, workspace.last_seen(), list(workspace.files.iterdir())) == (0, None, [])
    reports = [copy(pair, workspace, number) for number in report.shards]
    assert [one.copied_files for one in reports] == [24, 24, 24, 24]
    assert sum(one.copied_bytes for one in reports) == 96 * 3
    assert indexed(workspace) == files_of(pair), "each index is a range of the paths"
    source = Counting(pair.source)
    final = run_pass(pair, workspace, final=True, source=source)
    assert source.fetched == []
    assert (final.copied_files, final.reused) == (0, 96)
    assert files_in(workspace.files) == files_in(pair.source)
    manifest = {entry.path: entry for entry in read_manifest(workspace.manifest)}
    assert sorted(path for path, entry in manifest.items() if entry.kind is Kind.FILE) == files_of(pair)
    assert all(entry.sha256 for entry in manifest.values() if entry.kind is Kind.FILE)


def test_what_no_shard_copied_and_what_changed_since_is_the_final_passes(pair: Pair, workspace: Workspace) -> None:
    run_pass(pair, workspace)
    for number in (0, 2):
        copy(pair, workspace, number)
    done = set(indexed(workspace))
    (pair.source / "t0/f000").write_bytes(b"changed since")
    (pair.source / "t0/f007").unlink()
    source = Counting(pair.source)
    final = run_pass(pair, workspace, final=True, source=source)
    expected = (set(files_of(pair)) - done) | {b"t0/f000"}
    assert set(source.fetched) == expected
    assert final.copied_files == len(expected)
    assert (workspace.files / "t0/f000").read_bytes() == b"changed since"


def test_a_shard_that_was_killed_goes_on_behind_its_last_whole_line(pair: Pair, workspace: Workspace) -> None:
    run_pass(pair, workspace)
    copy(pair, workspace, 1)
    (index,) = workspace.indexes()
    lines = index.read_bytes().splitlines(keepends=True)
    index.write_bytes(b"".join(lines[:10]) + lines[10][:-5])
    source = Counting(pair.source)
    report = copy(pair, workspace, 1, source)
    assert (report.copied_files, report.reused) == (14, 10)
    assert set(source.fetched) == {entry.path for entry in newest([index])} - set(indexed_of(lines[:10], index))
    assert [line.split(b",")[0] for line in index.read_bytes().splitlines()] == [line.split(b",")[0] for line in lines]
    again = Counting(pair.source)
    assert copy(pair, workspace, 1, again) == ShardReport(0, 0, 24, 0, pytest.approx(0, abs=60))
    assert again.fetched == []


def indexed_of(lines: list[bytes], beside: Path) -> list[bytes]:
    part = beside.with_suffix(".part")
    part.write_bytes(b"".join(lines))
    return [entry.path for entry in newest([part])]


def test_a_file_that_a_shard_could_not_copy_is_tried_by_the_final_pass(pair: Pair, workspace: Workspace) -> None:
    run_pass(pair, workspace)
    (pair.source / "t3/f045").rename(pair.root / "aside")
    reports = [copy(pair, workspace, number) for number in range(4)]
    assert [one.missed for one in reports].count(1) == 1
    (pair.root / "aside").rename(pair.source / "t3/f045")
    final = run_pass(pair, workspace, final=True)
    assert (final.copied_files, final.vanished) == (1, ())


def test_shards_run_beside_each_other_but_beside_no_pass_and_none_twice(pair: Pair, workspace: Workspace) -> None:
    run_pass(pair, workspace)
    held, go_on = threading.Event(), threading.Event()

    class Slow(LocalTree):
        def fetch(self, entry: Entry, into: bytes) -> Entry | Missed:
            held.set()
            go_on.wait(60)
            return super().fetch(entry, into)

    reports: list[ShardReport] = []
    thread = threading.Thread(target=lambda: reports.append(copy(pair, workspace, 0, Slow(pair.source))))
    thread.start()
    try:
        assert held.wait(60)
        assert copy(pair, workspace, 1).copied_files == 24
        with pytest.raises(TransientError, match="the shard is busy: held by process"):
            copy(pair, workspace, 0)
        with pytest.raises(TransientError, match="the workspace is busy: held by process"):
            run_pass(pair, workspace, final=True)
        with pytest.raises(TransientError, match="the workspace is busy"):
            pair.catalog.discard("run 1")
    finally:
        go_on.set()
        thread.join()
    assert [one.copied_files for one in reports] == [24]
    with workspace.lock(), pytest.raises(TransientError, match="the workspace is busy"):
        copy(pair, workspace, 2)


def test_a_shard_that_nobody_waits_for_any_more_is_refused(pair: Pair, workspace: Workspace) -> None:
    with pytest.raises(PreconditionError, match="nobody waits for shard 0"):
        copy(pair, workspace, 0)
    run_pass(pair, workspace)
    run_pass(pair, workspace, final=True)
    with pytest.raises(PreconditionError, match="nobody waits for shard 0"):
        copy(pair, workspace, 0)


def test_a_pre_copy_that_is_run_again_splits_only_what_is_left(pair: Pair, workspace: Workspace) -> None:
    run_pass(pair, workspace)
    for number in (0, 1):
        copy(pair, workspace, number)
    report = run_pass(pair, workspace)
    assert (report.shards, report.reused) == ((0, 1), 48)
    source = Counting(pair.source)
    assert [copy(pair, workspace, number, source).copied_files for number in (0, 1)] == [24, 24]
    assert sorted(indexed(workspace)) == files_of(pair)


def test_below_the_size_a_pass_copies_by_itself(pair: Pair, workspace: Workspace) -> None:
    report = copy_delta(pair.tree, pair.target, None, workspace, final=False, split=ShardSize(files=96, size=10**9))
    assert (report.shards, report.copied_files) == ((), 96)


def test_room_is_asked_for_what_is_left_not_for_what_a_former_try_staged(
    pair: Pair, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that had room for all has room for the rest, although what is staged takes its part of it."""
    total = 96 * 3
    target = type(pair.target.volume)
    monkeypatch.setattr(target, "room", lambda _: Room(RESERVE_BYTES + total, 96 + 7))
    run_pass(pair, workspace)
    copied = copy(pair, workspace, 0)
    monkeypatch.setattr(target, "room", lambda _: Room(RESERVE_BYTES + total - copied.copied_bytes, 96 - 24))
    assert run_pass(pair, workspace).shards == (0, 1, 2)
    monkeypatch.setattr(target, "room", lambda _: Room(RESERVE_BYTES + total - copied.copied_bytes - 1, 96))
    with pytest.raises(PreconditionError, match="the target has no room"):
        run_pass(pair, workspace)
