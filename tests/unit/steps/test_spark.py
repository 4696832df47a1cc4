"""Incorta's own Spark, where the topology gives it to a node: started behind the agent, stopped last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.plan import StepName
from incorta_provider.services.ports import Port
from incorta_provider.steps import readiness
from incorta_provider.steps.readiness import Part, not_ready
from incorta_provider.steps.running import running
from incorta_provider.steps.site_services import start_part
from incorta_provider.steps.site_stop import stop_site
from tests.builders.group import Bench, cutover_run, frozen_plan, make_bench, topology_document

NODE1, NODE2 = "newyork_node1", "newyork_node2"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    document: dict[str, Any] = topology_document(tmp_path)
    document["groups"]["acme"]["sites"]["newyork"]["nodes"][0]["spark"] = True
    return make_bench(tmp_path, monkeypatch, document)


def test_it_starts_behind_the_agent_of_its_node_and_stops_when_all_else_has(bench: Bench) -> None:
    site = bench.access.site("newyork")
    start_part(site, Part.NODES, "a run")
    assert (bench.nodes.told(NODE1), bench.nodes.told(NODE2)) == (["start node", "start spark"], ["start node"])
    bench.nodes.calls.clear()
    bench.nodes.agents_run(NODE1)
    bench.nodes.ports[(NODE1, "spark")] = Port.OPEN
    assert running(site) == [f"spark of {NODE1}", f"agent of {NODE1}"]
    stop_site(site, "a run")
    assert bench.nodes.told(NODE1)[-2:] == ["stop node", "stop spark"]
    assert "stop spark" not in bench.nodes.told(NODE2)
    assert running(site) == []


def test_no_service_starts_before_it_answers(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "agents_reason", lambda _: None)
    monkeypatch.setattr(readiness, "spark_reason", lambda nodes: f"asked {[node.conn_id for node in nodes]}")
    assert not_ready(bench.access.site("newyork"), Part.NODES) == f"asked {[NODE1]}"


def test_the_plan_shows_it_with_its_scripts(bench: Bench) -> None:
    plan = frozen_plan(bench, cutover_run(bench))
    start, stop = plan.step(StepName.START_NODES), plan.step(StepName.STOP_TARGET)
    assert start is not None
    assert stop is not None
    assert f"start Spark on {NODE1}" in start.actions
    assert start.commands == tuple(
        f"{node}: IncortaNode/{script}"
        for node, script in ((NODE1, "startNode.sh"), (NODE1, "startSpark.sh"), (NODE2, "startNode.sh"))
    )
    assert f"{NODE1}: IncortaNode/stopSpark.sh" in stop.commands
