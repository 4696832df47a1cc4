"""A request to a load balancer, over real HTTP."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from incorta_provider.dr.traffic import HttpCall
from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.traffic.doer import switch
from incorta_provider.traffic.http_call import RequestToService
from tests.integration.traffic.conftest import Balancer


def call(**changes: Any) -> HttpCall:
    fields = {
        "kind": "http",
        "name": "balancer",
        "conn_id": "balancer",
        "set": {"method": "PUT", "path": "/pools/acme", "body": {"members": ["{value}"], "why": "cutover to {site}"}},
        "get": {"path": "/pools/acme", "key": ["pool", "active"]},
        "values": {"berlin": "b1", "newyork": "n1"},
        "seconds": 2,
    }
    return HttpCall(**{**fields, **changes})


def test_it_is_switched_and_set_back(balancer: Balancer) -> None:
    config = call()
    doer = RequestToService(config, balancer.info())
    before = doer.read()
    assert before == {"value": "b1"}
    assert switch(doer, config.state_for("newyork")) is True
    assert balancer.active == "n1"
    assert switch(doer, config.state_for("newyork")) is False
    switch(doer, before)
    assert balancer.active == "b1"
    puts = [(path, body) for method, path, _, body in balancer.asked if method == "PUT"]
    assert puts == [
        ("/pools/acme", {"members": ["n1"], "why": "cutover to newyork"}),
        ("/pools/acme", {"members": ["b1"], "why": "cutover to berlin"}),
    ]


def test_a_number_is_as_good_as_its_text(balancer: Balancer) -> None:
    balancer.active = 7
    assert RequestToService(call(), balancer.info()).read() == {"value": "7"}


@pytest.mark.parametrize("key", [["pool", "none"], ["pool", "active", "deeper"], ["none"]])
def test_a_value_that_is_not_there_is_none(balancer: Balancer, key: list[str]) -> None:
    assert RequestToService(call(get={"path": "/x", "key": key}), balancer.info()).read() is None


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, ConfigurationError), (404, ConfigurationError), (500, TransientError), (503, TransientError)],
)
def test_a_refusal_is_ours_and_a_failure_may_pass(balancer: Balancer, status: int, error: type[Exception]) -> None:
    balancer.status = status
    with pytest.raises(error, match=f"GET /pools/acme: HTTP status {status}") as failed:
        switch(RequestToService(call(), balancer.info()), {"value": "n1"})
    assert balancer.password not in str(failed.value)


def test_a_login_that_is_refused_is_named_and_shown_to_nobody(balancer: Balancer) -> None:
    info = balancer.info(login="admin")
    with pytest.raises(ConfigurationError, match="HTTP status 401") as refused:
        RequestToService(call(), info).read()
    assert balancer.password not in str(refused.value)
    assert balancer.asked[-1][2].startswith("Basic ")


def test_a_service_that_is_gone_may_come_back(balancer: Balancer, free_port: int) -> None:
    gone = dataclasses.replace(balancer.info(), port=free_port)
    with pytest.raises(TransientError):
        RequestToService(call(), gone).read()
