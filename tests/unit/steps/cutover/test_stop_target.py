"""What runs at the target is stopped, and proven to be, before its data are replaced."""

from __future__ import annotations

import pytest

from incorta_provider.dr.plan import StepName
from incorta_provider.exceptions import PreconditionError, TransientError
from incorta_provider.services.ports import Port
from incorta_provider.steps.cutover.apply import apply
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.cutover.stop_target import stop_target
from tests.builders.group import Bench, cleared, cutover_run, done_before, frozen_plan


@pytest.fixture
def run(bench: Bench) -> CutoverRun:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    done_before(bench, run, StepName.STOP_TARGET)
    return run


def test_every_part_of_every_node_is_stopped_services_first(bench: Bench, run: CutoverRun) -> None:
    bench.nodes.ports = {("newyork_node1", "loader"): Port.OPEN}
    bench.nodes.agents_run("newyork_node2")
    result = stop_target(run)
    together = sorted(bench.nodes.told("newyork_node1"))
    assert together == ["stop analyticsService", "stop cmc", "stop loaderService", "stop node"], "the agent is down"
    assert bench.nodes.told("newyork_node2") == ["stop loaderService", "stop node"]
    assert bench.nodes.told("berlin_node1") == []
    assert result["found_running"] == ["loader of newyork_node1", "agent of newyork_node2"]
    assert result["nodes"] == ["newyork_node1", "newyork_node2"]


@pytest.mark.parametrize(("state", "reason"), [(Port.OPEN, "still listens"), (Port.UNKNOWN, "port is unknown")])
def test_only_a_closed_port_is_proof(bench: Bench, run: CutoverRun, state: Port, reason: str) -> None:
    bench.nodes.ports = {("newyork_node1", "loader"): state}
    bench.nodes.stubborn.add("newyork_node1")
    with pytest.raises(TransientError, match=f"not proven to be stopped: loader of newyork_node1: {reason}"):
        stop_target(run)
    assert StepName.STOP_TARGET not in run.folder.done()
    with pytest.raises(PreconditionError, match="apply must not run: stop_target is not done"):
        apply(run)


def test_a_node_that_cannot_be_reached_is_waited_for(bench: Bench, run: CutoverRun) -> None:
    bench.nodes.down.add("newyork_node2")
    with pytest.raises(TransientError, match="the node cannot be reached"):
        stop_target(run)
    bench.nodes.down.clear()
    assert stop_target(run)["found_running"] == []


def test_cleared_it_stops_again_what_somebody_started(bench: Bench, run: CutoverRun) -> None:
    stop_target(run)
    bench.nodes.ports = {("newyork_node1", "cmc"): Port.OPEN}
    assert stop_target(cleared(run))["found_running"] == ["cmc of newyork_node1"]
    assert bench.nodes.ports == {}


def test_a_site_that_was_promoted_is_not_stopped(bench: Bench, run: CutoverRun) -> None:
    first = stop_target(run)
    run.folder.record(StepName.PROMOTE, {"finished_at": bench.clock.now.isoformat()})
    bench.nodes.calls.clear()
    assert stop_target(cleared(run)) == first
    assert bench.nodes.calls == []
