"""B67: ``kill -9`` at every write of every step. Then the step is run again, and it is as if nothing had happened.

The child of :mod:`crash_worker` counts the calls that change files and kills itself before or behind one of them; each
test does so at every single one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.storage.manifest_file import read_manifest
from incorta_provider.storage.verify import verify_replica
from tests.builders.storage import Pair, complete, make_pair, make_point, put, snapshot

KILLED = -9
State = dict[bytes, tuple[object, ...]]


class Worker:
    """The process that forks a child for each run."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, scenario: str, pair: Pair, *, die_at: int = 0, when: str = "before") -> dict[str, Any]:
        """Run a scenario on a pair; returns the child's status and how many writes it made."""
        order = {"scenario": scenario, "root": str(pair.root), "die_at": die_at, "when": when}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def finish(self, scenario: str, pair: Pair) -> int:
        """Run a scenario to its end and return how many writes it made."""
        answer = self.run(scenario, pair)
        assert answer["status"] == 0, scenario
        return int(answer["calls"])


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("crash_worker.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    yield Worker(process)
    assert process.stdin is not None
    process.stdin.close()
    process.wait(30)


class Stage:
    """A pair that is copied fresh for each crash."""

    def __init__(self, root: Path, worker: Worker) -> None:
        self.template = make_pair(root / "template")
        self._root = root
        self._worker = worker

    def advance(self, *scenarios: str) -> None:
        """Play scenarios in the template, without a crash."""
        for scenario in scenarios:
            self._worker.finish(scenario, self.template)

    def fresh(self) -> Pair:
        """Return a new copy of the template."""
        root = self._root / "pair"
        shutil.rmtree(root, ignore_errors=True)
        subprocess.run(["cp", "-a", str(self.template.root), str(root)], check=True)
        return Pair(root)

    def crashes(self, scenario: str) -> Iterator[Pair]:
        """Yield a pair in which a scenario was killed, for each moment between two of its writes."""
        calls = self._worker.finish(scenario, self.fresh())
        assert calls > 0
        for number, when in (*((number, "before") for number in range(1, calls + 1)), (calls, "after")):
            pair = self.fresh()
            answer = self._worker.run(scenario, pair, die_at=number, when=when)
            assert answer["status"] == KILLED, (number, when)
            yield pair


class Story(Stage):
    """Point A is applied, and the source has moved on.

    :ivar at_a: what the replica is at point A.
    :ivar at_b: what it becomes at point B.
    """

    def __init__(self, root: Path, worker: Worker) -> None:
        super().__init__(root, worker)
        pair = self.template
        put(pair.source, {"a": b"1", "t/v1/x": b"old", "t/v1/y": b"old", "turns": b"file", "same": b"0", "u/z": None})
        (pair.source / "link").symlink_to("a")
        pair.seal("A", minute=1)
        pair.apply("A")
        self.at_a = snapshot(pair.source, times=True)
        shutil.rmtree(pair.source / "t" / "v1")
        (pair.source / "turns").unlink()
        (pair.source / "link").unlink()
        (pair.source / "link").symlink_to("same")
        (pair.source / "same").chmod(0o600)
        put(pair.source, {"a": b"22", "t/v2/x": b"new", "turns/into": b"a folder", "half.parquet": b"PAR1"})
        self.at_b = {
            path: facts for path, facts in snapshot(pair.source, times=True).items() if path != b"half.parquet"
        }


@pytest.fixture
def root() -> Iterator[Path]:
    """Lend a folder in memory where there is one: a disk would sync a thousand times."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        yield Path(name)


@pytest.fixture
def story(root: Path, worker: Worker) -> Story:
    return Story(root, worker)


def live(pair: Pair) -> State:
    return snapshot(pair.live, times=True)


def points(pair: Pair) -> list[str]:
    return [point.id for point in pair.catalog.points()]


def ensure_bytes_are_kept(pair: Pair, story: Story) -> None:
    """Both points can be reached, in both directions, and are equal in every byte."""
    for target, state in (("A", story.at_a), ("B", story.at_b), ("A", story.at_a)):
        pair.apply(target)
        assert live(pair) == state
        assert verify_replica(pair.target, pair.catalog.manifest_path(target), deep=True).equal


def test_a_copy_that_was_killed(story: Story, worker: Worker) -> None:
    story.advance("copy")
    expected = list(read_manifest(story.template.catalog.workspace("run of B").manifest))
    story.advance("discard")
    for pair in story.crashes("copy"):
        assert (points(pair), live(pair)) == (["A"], story.at_a)
        worker.finish("copy", pair)
        assert list(read_manifest(pair.catalog.workspace("run of B").manifest)) == expected
        worker.finish("check", pair)


def test_a_check_that_was_killed(story: Story, worker: Worker) -> None:
    story.advance("copy")
    for pair in story.crashes("check"):
        worker.finish("check", pair)
        workspace = pair.catalog.workspace("run of B")
        assert workspace.left_out() == [b"half.parquet"]
        assert b"half.parquet" not in {entry.path for entry in read_manifest(workspace.manifest)}


def test_a_seal_that_was_killed(story: Story, worker: Worker) -> None:
    story.advance("copy", "check")
    seen = set()
    for pair in story.crashes("seal"):
        seen.add(tuple(points(pair)))
        assert live(pair) == story.at_a
        if points(pair) == ["A", "B"]:
            pair.apply("B")
            assert live(pair) == story.at_b
            continue
        assert points(pair) == ["A"]
        worker.finish("seal", pair)
        assert points(pair) == ["A", "B"]
        pair.apply("B")
        assert live(pair) == story.at_b
    assert seen == {("A",), ("A", "B")}


def test_an_apply_that_was_killed(story: Story, worker: Worker) -> None:
    story.advance("copy", "check", "seal")
    for pair in story.crashes("apply B"):
        assert pair.catalog.live_point_id() in ("A", "B")
        worker.finish("apply B", pair)
        assert live(pair) == story.at_b
        assert pair.catalog.live_point_id() == "B"
        assert not pair.catalog.journal.exists()
        ensure_bytes_are_kept(pair, story)


def test_an_apply_that_was_killed_and_then_another_point_is_wanted(story: Story, worker: Worker) -> None:
    story.advance("copy", "check", "seal")
    for pair in story.crashes("apply B"):
        worker.finish("apply A", pair)
        assert live(pair) == story.at_a
        ensure_bytes_are_kept(pair, story)


def test_a_way_back_that_was_killed(story: Story, worker: Worker) -> None:
    story.advance("copy", "check", "seal", "apply B")
    for pair in story.crashes("apply A"):
        worker.finish("apply A", pair)
        assert live(pair) == story.at_a
        ensure_bytes_are_kept(pair, story)


def test_a_first_apply_onto_foreign_files_that_was_killed(root: Path, worker: Worker) -> None:
    stage = Stage(root, worker)
    template = stage.template
    put(template.source, {"a": b"1", "t/x": b"1"})
    template.seal("A", minute=1)
    put(template.live, {"a": b"foreign", "t/x": b"foreign", "t/y": b"foreign", "z": b"foreign"})
    foreign = {path: facts for path, facts in snapshot(template.live).items() if facts[0] == "file"}
    for pair in stage.crashes("apply A"):
        worker.finish("apply A", pair)
        assert live(pair) == snapshot(template.source, times=True)
        kept = snapshot(pair.catalog.history / "unmanaged" / "files")
        assert {path: facts for path, facts in kept.items() if facts[0] == "file"} == foreign


def test_leftovers_that_were_half_removed(story: Story, worker: Worker) -> None:
    story.advance("copy")
    for pair in story.crashes("discard"):
        worker.finish("discard", pair)
        assert list((pair.catalog.root / "workspaces").iterdir()) == []
        assert (points(pair), live(pair)) == (["A"], story.at_a)


def test_a_whole_run_that_is_killed_again_and_again(story: Story, worker: Worker) -> None:
    """Each try comes further than the one before, or not; in the end it is as if none had been killed."""
    pair = story.fresh()
    tries = 0
    while worker.run("whole", pair, die_at=7 + tries * 9, when="after")["status"] == KILLED:
        tries += 1
        assert points(pair) in (["A"], ["A", "B"])
    assert tries > 3
    assert live(pair) == story.at_b
    ensure_bytes_are_kept(pair, story)


def test_a_run_that_died_is_collected_and_the_next_one_makes_its_point(story: Story, worker: Worker) -> None:
    pair = story.fresh()
    assert worker.run("copy", pair, die_at=30)["status"] == KILLED
    pair.catalog.discard_others("next run")
    workspace = pair.catalog.workspace("next run")
    pair.copy(workspace, final=True)
    complete(workspace)
    pair.catalog.seal(workspace, make_point("C", workspace, minute=3))
    assert [path.name for path in (pair.catalog.root / "workspaces").iterdir()] == []
    assert points(pair) == ["A", "C"]
