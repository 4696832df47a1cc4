"""``kill -9`` of the worker around every question to a node, and every start of rsync; the node goes on meanwhile."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from lab.servers.sshd import Sshd
from tests.builders.storage import Pair
from tests.chaos.storage.stage import ALL_POINTS, Stage, Story, Worker, live, points
from tests.chaos.tally import Tally
from tests.contract.ssh_backend import DR_NODE, PRIMARY_NODE, connection

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800), ALL_POINTS]


@pytest.fixture
def at_nodes(root: Path, worker: Worker, share: int | None, tally: Tally, sshd_nodes: dict[str, Sshd]) -> Story:
    infos = [asdict(connection(sshd_nodes[node])) for node in (PRIMARY_NODE, DR_NODE)]
    return Story(Stage(root, worker, share, tally, {"kind": "ssh", "connections": infos}))


def ensure_no_leftovers_at_the_node(pair: Pair) -> None:
    """Once the next run has begun, the vault holds what points brought, and nothing of runs that are gone."""
    pair.catalog.discard_others("next run", pair.target.discard)
    vault = pair.live.with_name("live.incorta-dr")
    kept = {point.run_id for point in pair.catalog.points()}
    staged = [path.name for path in (vault / "staged").iterdir()] if (vault / "staged").exists() else []
    assert len(staged) <= len(kept), staged


def test_a_copy_to_a_node(at_nodes: Story) -> None:
    stage = at_nodes.stage

    def ensure(pair: Pair) -> None:
        assert (points(pair), live(pair)) == (["A"], at_nodes.at_a)
        for step in ("copy", "check", "seal"):
            stage.finish(step, pair)
        at_nodes.ensure_bytes_are_kept(pair)
        ensure_no_leftovers_at_the_node(pair)

    at_nodes.kill_everywhere("copy", ensure)


def test_a_check_at_a_node(at_nodes: Story) -> None:
    stage = at_nodes.stage
    stage.advance("copy")

    def ensure(pair: Pair) -> None:
        stage.finish("check", pair)
        stage.finish("seal", pair)
        at_nodes.ensure_bytes_are_kept(pair)

    at_nodes.kill_everywhere("check", ensure)


def test_an_apply_at_a_node(at_nodes: Story) -> None:
    stage = at_nodes.stage
    stage.advance("copy", "check", "seal")

    def ensure(pair: Pair) -> None:
        at_nodes.ensure_nothing_is_partial(pair)
        stage.finish("apply B", pair)
        assert (live(pair), pair.catalog.live_point_id()) == (at_nodes.at_b, "B")
        at_nodes.ensure_bytes_are_kept(pair)
        ensure_no_leftovers_at_the_node(pair)

    at_nodes.kill_everywhere("apply B", ensure)


def test_a_way_back_at_a_node(at_nodes: Story) -> None:
    stage = at_nodes.stage
    stage.advance("copy", "check", "seal", "apply B")

    def ensure(pair: Pair) -> None:
        at_nodes.ensure_nothing_is_partial(pair)
        stage.finish("apply A", pair)
        assert live(pair) == at_nodes.at_a
        at_nodes.ensure_bytes_are_kept(pair)

    at_nodes.kill_everywhere("apply A", ensure)


def test_a_run_at_a_node_that_is_given_up(at_nodes: Story) -> None:
    stage = at_nodes.stage
    stage.advance("copy")

    def ensure(pair: Pair) -> None:
        stage.finish("collect", pair)
        assert (points(pair), live(pair)) == (["A"], at_nodes.at_a)
        ensure_no_leftovers_at_the_node(pair)

    at_nodes.kill_everywhere("collect", ensure)
