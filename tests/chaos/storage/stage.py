"""Where a worker is killed: a pair that is copied fresh for each crash, and what must be true behind every crash."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.builders.storage import Pair, put, snapshot
from tests.chaos.storage.places import HERE, Place, make, open_pair
from tests.chaos.tally import Tally

KILLED = -9

ALL_POINTS = pytest.mark.parametrize(
    "is_sample", [pytest.param(False, id="all", marks=pytest.mark.chaos)], indirect=True
)
"""For tests in which each crash takes seconds, so that ``make test`` tries none."""

State = dict[bytes, tuple[object, ...]]


class Worker:
    """The process that forks a child for each run."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(
        self, scenario: str, pair: Pair, *, place: Place = HERE, die_at: int = 0, when: str = "before"
    ) -> dict[str, Any]:
        """Run a scenario on a pair; returns the child's status and the calls that it made."""
        order = {"scenario": scenario, "root": str(pair.root), "place": place, "die_at": die_at, "when": when}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def finish(self, scenario: str, pair: Pair, *, place: Place = HERE) -> list[str]:
        """Run a scenario to its end and return the calls that it made."""
        answer = self.run(scenario, pair, place=place)
        assert answer["status"] == 0, scenario
        calls: list[str] = answer["calls"]
        return calls


@dataclass
class Stage:
    """A pair that is copied fresh for each crash.

    :param share: how many of a scenario's crash points are tried; None for all.
    :param place: where the pair is.
    """

    root: Path
    worker: Worker
    share: int | None
    tally: Tally
    place: Place = field(default_factory=lambda: HERE)

    def __post_init__(self) -> None:
        self.template = make(self.root / "template", self.place)

    def advance(self, *scenarios: str) -> None:
        """Play scenarios in the template, without a crash."""
        for scenario in scenarios:
            self.finish(scenario, self.template)

    def finish(self, scenario: str, pair: Pair) -> list[str]:
        """Play a scenario without a crash, and return the calls that it made."""
        return self.worker.finish(scenario, pair, place=self.place)

    def fresh(self) -> Pair:
        """Return a new copy of the template."""
        root = self.root / "pair"
        shutil.rmtree(root, ignore_errors=True)
        subprocess.run(["cp", "-a", str(self.template.root), str(root)], check=True)
        return open_pair(root, self.place)

    def kill_everywhere(self, scenario: str, ensure: Callable[[Pair], None]) -> None:
        """Kill a scenario at each moment between two of its writes, and have each outcome judged.

        Right behind one write is right before the next, so that each is killed before it, and the last one behind it,
        too. What runs elsewhere goes on meanwhile, so there each is killed behind it as well. All moments are tried;
        those that failed are named together.
        """
        calls = self.finish(scenario, self.fresh())
        assert calls
        numbers = range(1, len(calls) + 1)
        moments = [*((number, "before") for number in numbers), (len(calls), "after")]
        if self.place["kind"] != "file":
            moments = [(number, when) for number in numbers for when in ("before", "after")]
        failed = []
        for number, when in spread(moments, self.share):
            pair = self.fresh()
            answer = self.worker.run(scenario, pair, place=self.place, die_at=number, when=when)
            try:
                with self.tally.point(f"{scenario}, {self.place['kind']}", f"{when} {calls[number - 1]}"):
                    assert answer["status"] == KILLED
                    ensure(pair)
            except Exception as error:
                failed.append(f"killed {when} call {number}, {calls[number - 1]}: {error!r}")
        assert not failed, "\n".join(failed)


def spread(moments: list[tuple[int, str]], count: int | None) -> list[tuple[int, str]]:
    """Return ``count`` of the moments at equal distances, the last one too; all for None."""
    if count is None or count >= len(moments):
        return moments
    return [moments[(number + 1) * len(moments) // count - 1] for number in range(count)]


class Story:
    """Point A is applied, and the source has moved on.

    :ivar at_a: what the replica is at point A.
    :ivar at_b: what it becomes at point B.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.advance, self.kill_everywhere = stage.advance, stage.kill_everywhere
        source = stage.template.source
        put(source, {"a": b"1", "t/v1/x": b"old", "t/v1/y": b"old", "turns": b"file", "same": b"0", "u/z": None})
        (source / "link").symlink_to("a")
        stage.template.seal("A", minute=1)
        stage.template.apply("A")
        self.at_a = snapshot(source, times=True)
        shutil.rmtree(source / "t" / "v1")
        (source / "turns").unlink()
        (source / "link").unlink()
        (source / "link").symlink_to("same")
        (source / "same").chmod(0o600)
        put(source, {"a": b"22", "t/v2/x": b"new", "turns/into": b"a folder", "half.parquet": b"PAR1"})
        put(source, {"t/v3/deep/y": b"whole", "t/v3/empty": None})
        self.at_b = {path: facts for path, facts in snapshot(source, times=True).items() if path != b"half.parquet"}

    def ensure_nothing_is_partial(self, pair: Pair) -> None:
        """Every file of the replica is, by its bytes, one that it was before or becomes."""
        for path, facts in live(pair).items():
            if facts[0] == "file":
                known = [state[path] for state in (self.at_a, self.at_b) if path in state]
                assert facts[2] in [each[2] for each in known if each[0] == "file"], path

    def ensure_bytes_are_kept(self, pair: Pair) -> None:
        """Both points can be reached, in both directions, and are equal in every byte, mode and time."""
        for target, state in (("A", self.at_a), ("B", self.at_b), ("A", self.at_a)):
            pair.apply(target)
            assert live(pair) == state


def live(pair: Pair) -> State:
    """Return what the replica is."""
    return snapshot(pair.live, times=True)


def points(pair: Pair) -> list[str]:
    """Return the sealed points."""
    return [point.id for point in pair.catalog.points()]


def ensure_no_leftovers(pair: Pair) -> None:
    """Once the next run has begun, nothing is there that no point and no record needs.

    The next apply writes its own draft of a journal over one that is there, and so with what a repair found.
    """
    root = pair.catalog.root
    for draft in root.glob(".*.tmp"):
        os.utime(draft, (0, 0))
    pair.catalog.discard_others("next run")
    drafts = [path for path in root.rglob("*") if path.name.endswith((".tmp", ".draft"))]
    unfinished = [path for name in ("workspaces", "bin", "journal") for path in root.glob(f"{name}/*")]
    found = {str(path.relative_to(root)) for path in (*drafts, *unfinished)}
    assert found - {"journal/found.parquet", "journal/.apply.jsonl.draft"} == set()
