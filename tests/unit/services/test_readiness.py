from __future__ import annotations

import socket

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.services.readiness import (
    agent_reason,
    agents_reason,
    analytics_reason,
    cmc_reason,
    joined,
    service_reason,
    spark_reason,
    waiting_for,
)


@pytest.fixture
def open_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def node(name, port, part="agent"):
    return ConnectionInfo(name, host="127.0.0.1", extra={f"{part}_port": port})


def cluster(*loaders, node_status="Connected"):
    nodes = [
        {"name": f"node{number}", "status": node_status, "services": [{"name": "loaderService", "status": status}]}
        for number, status in enumerate(loaders, 1)
    ]
    return {"name": "acme", "nodes": nodes}


@pytest.fixture
def cmc(site, says):
    def show(document):
        site.answer = lambda asked: says(document={"token": "t"} if asked.path.endswith("login") else document)
        return site.info()

    return show


def test_an_agent_that_answers_is_ready(open_port):
    assert agent_reason(node("node1", open_port)) is None


def test_every_agent_must_answer(open_port, free_port):
    reason = agents_reason([node("node1", open_port), node("node2", free_port)])
    assert reason == f"node2: nobody listens at 127.0.0.1:{free_port}"


def test_spark_is_ready_when_its_master_listens_at_each_of_its_nodes(open_port, free_port):
    here, there = (
        ConnectionInfo(name, host="127.0.0.1", extra={"spark_port": port})
        for name, port in (("node1", open_port), ("node2", free_port))
    )
    assert (spark_reason([]), spark_reason([here])) == (None, None)
    assert spark_reason([here, there]) == f"Spark of node2: nobody listens at 127.0.0.1:{free_port}"


def test_a_port_that_is_none_is_a_setting():
    with pytest.raises(ConfigurationError, match="port 'x'"):
        agent_reason(node("node1", "x"))


def test_a_cmc_with_its_nodes_is_ready(cmc):
    assert cmc_reason(cmc(cluster("Stopped", "Stopped")), "acme", 2) is None
    reason = cmc_reason(cmc(cluster("Stopped", node_status="Disconnected")), "acme", 1)
    assert reason == "0 of 1 nodes are connected (node1 Disconnected)"


def test_a_cmc_that_is_not_up_is_a_reason_and_no_error(free_port):
    info = ConnectionInfo("cmc", host="127.0.0.1", port=free_port, login="a", password="b", extra={"scheme": "http"})
    reason = cmc_reason(info, "acme", 1)
    assert reason is not None
    assert "Connection refused" in reason
    assert reason.endswith(f"[http://127.0.0.1:{free_port}]")


def test_a_wrong_password_is_not_waited_for(site, says):
    site.answer = lambda _: says(401, document={})
    with pytest.raises(ConfigurationError, match="refuses the login"):
        cmc_reason(site.info(), "acme", 1)


def test_a_service_is_ready_when_the_cmc_and_its_port_say_so(cmc, open_port, free_port):
    info = cmc(cluster("Started"))
    assert service_reason(info, "acme", "loaderService", [node("node1", open_port, "loader")]) is None
    reason = service_reason(info, "acme", "loaderService", [node("node1", free_port, "loader")])
    assert reason == f"node1: nobody listens at 127.0.0.1:{free_port}"


def test_a_service_that_failed_is_told(cmc, open_port):
    info = cmc(cluster({"statusType": "Failed", "message": "torn snapshot"}))
    reason = service_reason(info, "acme", "loaderService", [node("node1", open_port, "loader")])
    assert reason == "loaderService is started at 0 of 1 nodes (node1 Failed: torn snapshot)"


def test_a_service_without_a_known_port_is_taken_from_the_cmc(cmc):
    document = {"nodes": [{"name": "node1", "services": [{"name": "notebook", "status": "Started"}]}]}
    assert service_reason(cmc(document), "acme", "notebook", [ConnectionInfo("node1", host="127.0.0.1")]) is None


def analytics(site, says, api):
    def answer(asked):
        if asked.path.startswith("/incorta/api/"):
            return api
        return says(document={"accessToken": "t"})

    site.answer = answer
    return site.info()


def test_analytics_is_ready_when_it_answers_about_the_data(site, says):
    assert analytics_reason(analytics(site, says, says(document={"schemas": []})), "acme") is None
    reason = analytics_reason(analytics(site, says, says(503, document={})), "acme")
    assert reason is not None
    assert reason.startswith("list of schemas: HTTP status 503")


def test_what_may_pass_becomes_a_reason():
    def fail():
        raise TransientError("not yet", where="node1")

    assert waiting_for(fail) == "not yet [node1]"
    assert waiting_for(lambda: "no quorum") == "no quorum"
    assert waiting_for(lambda: None) is None


def test_reasons_are_told_with_their_names():
    assert joined({"a": None, "b": "down", "c": "slow"}) == "b: down; c: slow"
    assert joined({"a": None}) is None
    assert joined({}) is None
