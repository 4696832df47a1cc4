from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.exceptions import ConfigurationError
from incorta_provider.services.cluster_state import (
    ClusterState,
    NodeState,
    ServiceState,
    nodes_problem,
    parse_cluster,
    service_problem,
)


def document(*statuses: object, node_status: object = "Connected") -> dict[str, object]:
    """Return a cluster whose nodes have a Loader with these statuses."""
    return {
        "name": "acme",
        "scheduler_started": True,
        "database": {"username": "incorta", "password": "hunter2"},
        "tenants": [{"name": "acme", "path": "/srv"}, "nonsense"],
        "nodes": [
            {
                "name": f"node{number}",
                "status": node_status,
                "node_version": "2025.7.0",
                "services": [{"name": "loaderService", "status": status, "reason": ""}],
            }
            for number, status in enumerate(statuses, 1)
        ],
    }


def test_the_cluster_without_its_credentials():
    state = parse_cluster(document("Started"))
    loader = ServiceState("loaderService", "Started")
    assert state == ClusterState("acme", (NodeState("node1", "Connected", "2025.7.0", (loader,)),), ("acme",), True)
    assert "hunter2" not in repr(state)


@pytest.mark.parametrize(
    ("status", "read"),
    [
        ("Started", "Started"),
        ({"statusType": "Started"}, "Started"),
        ({"statusType": "Started", "message": None}, "Started"),
        ({"statusType": None}, "unknown"),
        ({"type": "Started"}, "unknown"),
        (None, "unknown"),
        ("", "unknown"),
        (1, "unknown"),
        (["Started"], "unknown"),
    ],
)
def test_a_status_is_a_string_or_an_object(status, read):
    assert parse_cluster(document(status)).nodes[0].services[0].status == read
    assert parse_cluster(document("Started", node_status=status)).nodes[0].status == read


@pytest.mark.parametrize(
    ("service", "reason"),
    [
        ({"status": {"statusType": "Failed", "message": "torn snapshot"}}, "torn snapshot"),
        ({"status": "Failed", "reason": "torn snapshot"}, "torn snapshot"),
        ({"status": "Failed"}, ""),
    ],
)
def test_why_a_service_failed(service, reason):
    state = parse_cluster({"nodes": [{"name": "node1", "services": [{"name": "loaderService", **service}]}]})
    assert state.nodes[0].services == (ServiceState("loaderService", "Failed", reason),)


@pytest.mark.parametrize("wrong", [{}, {"nodes": None}, {"nodes": {}}, {"nodes": ["node1"]}, {"message": "no"}])
def test_an_answer_of_another_form_is_refused(wrong):
    with pytest.raises(ConfigurationError, match="no list of nodes"):
        parse_cluster(wrong)


def test_what_is_not_said_is_not_known():
    state = parse_cluster({"nodes": [{}]})
    assert state == ClusterState("", (NodeState("", "unknown", "", ()),), (), None)


GOOD = ("Started",)


@pytest.mark.parametrize(
    ("statuses", "problem"),
    [
        (("Started", "started"), None),
        (("Started", "Starting"), "loaderService is started at 1 of 2 nodes (node2 Starting)"),
        (("Started",), "loaderService is started at 1 of 2 nodes"),
        ((), "loaderService is started at 0 of 2 nodes"),
        (("Splendid", None), "loaderService is started at 0 of 2 nodes (node1 Splendid; node2 unknown)"),
    ],
)
def test_a_service_is_started_at_each_node_or_says_where_not(statuses, problem):
    assert service_problem(parse_cluster(document(*statuses)), "loaderService", 2, GOOD) == problem


def test_another_service_does_not_count():
    problem = service_problem(parse_cluster(document("Started")), "analyticsService", 1, GOOD)
    assert problem == "analyticsService is started at 0 of 1 nodes"


def test_why_it_failed_is_told():
    state = parse_cluster(document({"statusType": "Failed", "message": "no licence"}))
    problem = service_problem(state, "loaderService", 1, GOOD)
    assert problem == "loaderService is started at 0 of 1 nodes (node1 Failed: no licence)"


@given(st.lists(st.one_of(st.text(max_size=8), st.none(), st.integers()), max_size=4))
def test_no_word_but_the_good_one_means_started(statuses):
    state = parse_cluster(document(*statuses))
    good = sum(isinstance(status, str) and status.casefold() == "started" for status in statuses)
    for expected in range(1, 6):
        assert (service_problem(state, "loaderService", expected, GOOD) is None) == (good >= expected)


def test_nodes_are_connected_or_named():
    both = parse_cluster(document("Started", "Started"))
    assert nodes_problem(both, 2, ("Connected",)) is None
    assert nodes_problem(both, 3, ("Connected",)) == "2 of 3 nodes are connected"
    lost = parse_cluster(document("Started", "Started", node_status="Disconnected"))
    assert nodes_problem(lost, 2, ("Connected",)) == (
        "0 of 2 nodes are connected (node1 Disconnected; node2 Disconnected)"
    )
