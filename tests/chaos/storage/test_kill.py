"""B67: ``kill -9`` at every write of every step. Then the step is run again, and it is as if nothing had happened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.manifest.delta_file import read_delta
from incorta_provider.storage.manifest.manifest_file import read_manifest
from incorta_provider.storage.records.ledger_file import LedgerFile
from tests.builders.storage import Pair, complete, make_point, put, snapshot
from tests.chaos.storage.stage import KILLED, Stage, Story, Worker, ensure_no_leftovers, live, points


def test_a_catalog_that_was_being_made(stage: Stage) -> None:
    (stage.template.catalog.root / "catalog.json").unlink()
    for folder in stage.template.catalog.root.iterdir():
        folder.rmdir()

    def ensure(pair: Pair) -> None:
        stage.worker.finish("initialise", pair)
        Catalog(pair.catalog.root).ensure_is("acme", "newyork")
        ensure_no_leftovers(pair)

    stage.kill_everywhere("initialise", ensure)


def test_a_copy_that_was_killed(story: Story, worker: Worker) -> None:
    story.advance("copy")
    expected = list(read_manifest(story.stage.template.catalog.workspace("run of B").manifest))
    story.advance("discard")

    def ensure(pair: Pair) -> None:
        assert (points(pair), live(pair)) == (["A"], story.at_a)
        worker.finish("copy", pair)
        assert list(read_manifest(pair.catalog.workspace("run of B").manifest)) == expected
        worker.finish("check", pair)
        worker.finish("seal", pair)
        story.ensure_bytes_are_kept(pair)
        ensure_no_leftovers(pair)

    story.kill_everywhere("copy", ensure)


def test_a_first_copy_that_was_killed(stage: Stage, worker: Worker) -> None:
    source = stage.template.source
    put(source, {"a": b"1", "t/v1/x": b"22", "t/v1/y": b"333", "t-u": b"", "u/z": None})
    (source / "link").symlink_to("a")
    stage.advance("copy")
    expected = list(read_manifest(stage.template.catalog.workspace("run of B").manifest))
    stage.advance("discard")

    def ensure(pair: Pair) -> None:
        assert points(pair) == []
        worker.finish("copy", pair)
        workspace = pair.catalog.workspace("run of B")
        assert list(read_manifest(workspace.manifest)) == expected
        assert [change.new for change in read_delta(workspace.delta)] == expected
        worker.finish("check", pair)
        worker.finish("seal", pair)
        pair.apply("B")
        assert live(pair) == snapshot(pair.source, times=True)
        ensure_no_leftovers(pair)

    stage.kill_everywhere("copy", ensure)


def test_a_check_that_was_killed(story: Story, worker: Worker) -> None:
    story.advance("copy")

    def ensure(pair: Pair) -> None:
        worker.finish("check", pair)
        workspace = pair.catalog.workspace("run of B")
        assert workspace.left_out() == [b"half.parquet"]
        assert b"half.parquet" not in {entry.path for entry in read_manifest(workspace.manifest)}
        worker.finish("seal", pair)
        story.ensure_bytes_are_kept(pair)
        ensure_no_leftovers(pair)

    story.kill_everywhere("check", ensure)


def test_a_seal_that_was_killed(story: Story, worker: Worker) -> None:
    story.advance("copy", "check")

    def ensure(pair: Pair) -> None:
        assert points(pair) in (["A"], ["A", "B"])
        assert live(pair) == story.at_a
        worker.finish("seal", pair)
        assert points(pair) == ["A", "B"]
        story.ensure_bytes_are_kept(pair)
        ensure_no_leftovers(pair)

    story.kill_everywhere("seal", ensure)


def test_an_apply_that_was_killed(story: Story, worker: Worker) -> None:
    story.advance("copy", "check", "seal")

    def ensure(pair: Pair) -> None:
        assert pair.catalog.live_point_id() in ("A", "B")
        story.ensure_nothing_is_partial(pair)
        worker.finish("apply B", pair)
        assert (live(pair), pair.catalog.live_point_id()) == (story.at_b, "B")
        ensure_no_leftovers(pair)
        story.ensure_bytes_are_kept(pair)

    story.kill_everywhere("apply B", ensure)


def test_an_apply_that_was_killed_and_then_another_point_is_wanted(story: Story, worker: Worker) -> None:
    story.advance("copy", "check", "seal")

    def ensure(pair: Pair) -> None:
        worker.finish("apply A", pair)
        assert live(pair) == story.at_a
        ensure_no_leftovers(pair)
        story.ensure_bytes_are_kept(pair)

    story.kill_everywhere("apply B", ensure)


def test_a_way_back_that_was_killed(story: Story, worker: Worker) -> None:
    story.advance("copy", "check", "seal", "apply B")

    def ensure(pair: Pair) -> None:
        story.ensure_nothing_is_partial(pair)
        worker.finish("apply A", pair)
        assert live(pair) == story.at_a
        ensure_no_leftovers(pair)
        story.ensure_bytes_are_kept(pair)

    story.kill_everywhere("apply A", ensure)


def test_a_repair_that_was_killed(story: Story, worker: Worker) -> None:
    """A file of the replica was lost, another one damaged so that its size and time do not show it."""
    template = story.stage.template
    damage(template.live / "a", b"2")
    (template.live / "t" / "v1" / "x").unlink()
    put(template.live, {"by-hand": b"1"})
    put(template.catalog.root / "points" / "A" / "files", {"a": b"1", "t/v1/x": b"old"})  # as fetched for the repair

    def ensure(pair: Pair) -> None:
        worker.finish("repair A", pair)
        assert live(pair) == story.at_a
        ensure_no_leftovers(pair)

    story.kill_everywhere("repair A", ensure)


def damage(path: Path, content: bytes) -> None:
    """Change a file's bytes behind its facts."""
    facts = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(facts.st_mtime_ns, facts.st_mtime_ns))


def test_a_first_apply_onto_foreign_files_that_was_killed(stage: Stage) -> None:
    template = stage.template
    put(template.source, {"a": b"1", "t/x": b"1"})
    template.seal("A", minute=1)
    put(template.live, {"a": b"foreign", "t/x": b"foreign", "t/y": b"foreign", "z": b"foreign"})
    foreign = {path: facts for path, facts in snapshot(template.live).items() if facts[0] == "file"}

    def ensure(pair: Pair) -> None:
        stage.worker.finish("apply A", pair)
        assert live(pair) == snapshot(template.source, times=True)
        kept = snapshot(pair.catalog.history / "unmanaged" / "files")
        assert {path: facts for path, facts in kept.items() if facts[0] == "file"} == foreign
        ensure_no_leftovers(pair)

    stage.kill_everywhere("apply A", ensure)


@pytest.mark.parametrize("step", ["discard", "collect"])
def test_leftovers_that_were_half_removed(story: Story, worker: Worker, step: str) -> None:
    """By the run itself, or by the run that finds them."""
    story.advance("copy")

    def ensure(pair: Pair) -> None:
        worker.finish(step, pair)
        assert (points(pair), live(pair)) == (["A"], story.at_a)
        ensure_no_leftovers(pair)

    story.kill_everywhere(step, ensure)


def test_a_line_of_the_ledger_that_was_being_written(story: Story, worker: Worker) -> None:
    def ensure(pair: Pair) -> None:
        worker.finish("note", pair)
        worker.finish("note", pair)
        ledger = LedgerFile(pair.catalog.root / "ledger.jsonl")
        assert [entry.event for entry in ledger.entries()] == ["point.sealed"]
        assert ledger.faults() == []

    story.kill_everywhere("note", ensure)


def test_a_whole_run_that_is_killed_again_and_again(story: Story, worker: Worker) -> None:
    """Each try comes further than the one before, or not; in the end it is as if none had been killed."""
    pair = story.stage.fresh()
    tries = 0
    while worker.run("whole", pair, die_at=7 + tries * 9, when="after")["status"] == KILLED:
        tries += 1
        with story.stage.tally.point("a whole run, again and again", f"after write {7 + (tries - 1) * 9}"):
            assert points(pair) in (["A"], ["A", "B"])
            story.ensure_nothing_is_partial(pair)
    assert tries > 3
    assert live(pair) == story.at_b
    ensure_no_leftovers(pair)
    story.ensure_bytes_are_kept(pair)


def test_a_run_that_died_is_collected_and_the_next_one_makes_its_point(story: Story, worker: Worker) -> None:
    pair = story.stage.fresh()
    assert worker.run("copy", pair, die_at=30)["status"] == KILLED
    ensure_no_leftovers(pair)
    workspace = pair.catalog.workspace("next run")
    pair.copy(workspace, final=True)
    complete(workspace)
    pair.catalog.seal(workspace, make_point("C", workspace, minute=3))
    assert points(pair) == ["A", "C"]
