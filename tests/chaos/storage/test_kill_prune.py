"""``kill -9`` at every write of a prune: no half point, and every point that stays is reached, before and behind it."""

from __future__ import annotations

import pytest

from tests.builders.storage import Pair, put, snapshot
from tests.chaos.storage.stage import State, Story, Worker, live, points


@pytest.mark.parametrize("applied", [["A"], ["A", "B", "C"], ["C", "A"]], ids="-".join)
def test_a_prune_that_was_killed(story: Story, worker: Worker, applied: list[str]) -> None:
    """Point B goes. C behind it needs files that B brought; where they lie depends on what was applied."""
    template = story.stage.template
    story.advance("copy", "check", "seal")
    put(template.source, {"a": b"333"})
    template.seal("C", minute=3)
    states = {"A": story.at_a, "C": snapshot(template.source, times=True)}
    for name in applied:
        template.apply(name)
    seen = set()

    def ensure(pair: Pair) -> None:
        seen.add(tuple(points(pair)))
        ensure_reached(pair, states)
        worker.finish("prune", pair)
        assert points(pair) == ["A", "C"]
        assert pair.catalog.damaged() == {}
        left = {path.name for path in (pair.catalog.root / "points").glob("B/*")}
        assert left <= {"dropped.json", "files"}
        ensure_reached(pair, states)
        worker.finish("prune", pair)
        ensure_reached(pair, states)

    story.kill_everywhere("prune", ensure)
    assert seen <= {("A", "B", "C"), ("A", "C")}


def ensure_reached(pair: Pair, states: dict[str, State]) -> None:
    """Go to each point, in both directions, and find every byte, mode and time."""
    for name in ("A", "C", "A"):
        pair.apply(name)
        assert live(pair) == states[name]
