from __future__ import annotations

from typing import Any

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.dr.site import Node
from incorta_provider.steps import readiness
from incorta_provider.steps.readiness import Part, not_ready, services_of
from tests.builders.group import Bench


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what each question was asked with, and what it answers: a key and its reason, none by default."""
    answers: dict[str, Any] = {"asked": []}

    def question(name: str) -> Any:
        def ask(*arguments: Any) -> str | None:
            told = [argument.conn_id if isinstance(argument, ConnectionInfo) else argument for argument in arguments]
            told = [[info.conn_id for info in one] if isinstance(one, list) else one for one in told]
            answers["asked"].append((name, *told))
            return answers.get(name) or answers.get(told[2] if name == "service_reason" else name)

        return ask

    for name in ("agents_reason", "cmc_reason", "service_reason", "analytics_reason"):
        monkeypatch.setattr(readiness, name, question(name))
    return answers


def test_the_parts_are_in_the_order_of_their_start() -> None:
    assert [str(part) for part in Part] == ["zookeeper", "nodes", "cmc", "loader", "analytics"]


def test_zookeeper_is_ready_with_a_quorum(bench: Bench) -> None:
    site = bench.access.site("newyork")
    assert not_ready(site, Part.ZOOKEEPER) is None
    bench.ensembles.down.add("newyork_zookeeper")
    assert not_ready(site, Part.ZOOKEEPER) == (
        "no quorum: 0 of 1 members serve, no leader (newyork_zookeeper:2181 is down)"
    )


@pytest.mark.parametrize(
    ("part", "questions"),
    [
        (Part.NODES, [("agents_reason", ["newyork_node1", "newyork_node2"])]),
        (Part.CMC, [("cmc_reason", "newyork_cmc", "acme", 2)]),
        (
            Part.LOADER,
            [("service_reason", "newyork_cmc", "acme", "loaderService", ["newyork_node1", "newyork_node2"])],
        ),
        (
            Part.ANALYTICS,
            [
                ("analytics_reason", "newyork_analytics", "acme"),
                ("service_reason", "newyork_cmc", "acme", "analyticsService", ["newyork_node1"]),
            ],
        ),
    ],
)
def test_each_part_is_asked_by_the_names_of_the_topology(
    bench: Bench, asked: dict[str, Any], part: Part, questions: list[tuple[Any, ...]]
) -> None:
    assert not_ready(bench.access.site("newyork"), part) is None
    assert asked["asked"] == questions


@pytest.mark.parametrize(
    ("part", "answers", "reason"),
    [
        (Part.NODES, {"agents_reason": "n1: closed"}, "n1: closed"),
        (Part.CMC, {"cmc_reason": "1 of 2 nodes"}, "1 of 2 nodes"),
        (Part.LOADER, {"loaderService": "Stopped"}, "loaderService: Stopped"),
        (Part.ANALYTICS, {"analyticsService": "Starting"}, "services: analyticsService: Starting"),
        (Part.ANALYTICS, {"analytics_reason": "503"}, "login: 503"),
        (
            Part.ANALYTICS,
            {"analyticsService": "Starting", "analytics_reason": "503"},
            "services: analyticsService: Starting; login: 503",
        ),
    ],
)
def test_every_reason_is_told(
    bench: Bench, asked: dict[str, Any], part: Part, answers: dict[str, str], reason: str
) -> None:
    asked.update(answers)
    assert not_ready(bench.access.site("newyork"), part) == reason


def test_services_are_told_apart_by_the_topology_s_names() -> None:
    node = Node(conn_id="n", services=("LoaderService-2", "analyticsService", "sqliService", "my_loader"))
    assert services_of(node, loader=True) == ["LoaderService-2", "my_loader"]
    assert services_of(node, loader=False) == ["analyticsService", "sqliService"]
