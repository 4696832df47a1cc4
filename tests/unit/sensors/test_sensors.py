from __future__ import annotations

import logging
import socket
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
)

from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.sensors import cmc, incorta_service, site_ready
from incorta_provider.sensors.cmc import CmcSensor
from incorta_provider.sensors.incorta_node import IncortaNodeSensor
from incorta_provider.sensors.incorta_service import IncortaServiceSensor
from incorta_provider.sensors.readiness import ReadinessSensor
from incorta_provider.sensors.site_ready import SiteReadySensor
from incorta_provider.sensors.zookeeper import ZooKeeperQuorumSensor
from incorta_provider.steps.readiness import Part
from tests.builders.ports import closed_port


class Scripted(ReadinessSensor):
    """Gives one reason after the other, and the last one for ever."""

    def __init__(self, *, reasons, **kwargs):
        super().__init__(**kwargs)
        self.reasons = list(reasons)

    def reason(self):
        reason = self.reasons.pop(0) if len(self.reasons) > 1 else self.reasons[0]
        if isinstance(reason, Exception):
            raise reason
        return reason


@pytest.fixture
def told(caplog):
    """Return what our sensors told in the log."""
    caplog.set_level(logging.INFO)
    return lambda: [record.getMessage() for record in caplog.records if record.filename == "readiness.py"]


@pytest.fixture
def sensor(monkeypatch, caplog):
    def make(*reasons, **kwargs):
        made = Scripted(task_id="wait", reasons=reasons, **kwargs)
        monkeypatch.setattr(type(made), "log", logging.getLogger("sensor"), raising=False)
        return made

    return make


def test_it_waits_until_nothing_is_missing(sensor):
    made = sensor("no quorum", "no leader", None, poke_interval=0)
    made.execute({})
    assert made.reasons == [None]


def test_it_tells_each_new_reason_once(sensor, told):
    sensor("down", "down", "starting", "starting", "down", None, poke_interval=0).execute({})
    assert told() == ["down", "starting", "down", "ready"]


def test_what_may_pass_is_waited_for(sensor, told):
    sensor(TransientError("not yet", where="node1"), None, poke_interval=0).execute({})
    assert told() == ["not yet [node1]", "ready"]


def test_what_waiting_cannot_cure_fails_at_once(sensor):
    with pytest.raises(AirflowFailException, match="ConfigurationError: wrong password"):
        sensor(ConfigurationError("wrong password"), None, poke_interval=0).execute({})


def test_when_the_time_is_up_it_says_what_was_seen_last(sensor):
    with pytest.raises(AirflowSensorTimeout, match="Last seen: node2 down"):
        sensor("node1 down", "node2 down", poke_interval=0.4, timeout=3).execute({})


def test_a_soft_fail_still_skips(sensor):
    with pytest.raises(AirflowSkipException):
        sensor("down", poke_interval=0, timeout=0.05, soft_fail=True).execute({})


def test_it_can_be_rescheduled(sensor):
    made = sensor("down", None, mode="reschedule", poke_interval=5)
    now = datetime.now(UTC)
    context = {"ti": SimpleNamespace(get_first_reschedule_date=lambda _: now)}
    with pytest.raises(AirflowRescheduleException):
        made.execute(context)
    made.execute(context)


def test_a_rescheduled_one_says_what_was_seen_last(sensor):
    made = sensor("down", mode="reschedule", timeout=60)
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    with pytest.raises(AirflowSensorTimeout, match="Last seen: down"):
        made.execute({"ti": SimpleNamespace(get_first_reschedule_date=lambda _: long_ago)})


def test_it_looks_often_by_itself():
    made = Scripted(task_id="a", reasons=[None])
    assert (made.poke_interval, made.timeout) == (2, 1800)
    made = Scripted(task_id="b", reasons=[None], poke_interval=30, timeout=60)
    assert (made.poke_interval, made.timeout) == (30, 60)


# The sensors themselves


@pytest.fixture
def free_port():
    with closed_port() as port:
        yield port


@pytest.fixture
def open_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize(
    ("made", "templated"),
    [
        (ZooKeeperQuorumSensor(task_id="a"), {"incorta_zookeeper_conn_id"}),
        (IncortaNodeSensor(task_id="b"), {"incorta_node_conn_id"}),
        (CmcSensor(task_id="c", cluster="acme", nodes=2), {"cluster", "incorta_cmc_conn_id"}),
        (
            IncortaServiceSensor(task_id="d", service="loaderService", cluster="acme", node_conn_ids=["n"]),
            {"service", "cluster", "node_conn_ids", "incorta_cmc_conn_id", "incorta_analytics_conn_id", "tenant"},
        ),
        (SiteReadySensor(task_id="e", group="acme", target="newyork", part="cmc"), {"group", "target"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_names_something_is_templated(made, templated):
    assert set(made.template_fields) == templated
    assert all(hasattr(made, field) for field in templated)


def test_a_quorum_is_asked_of_the_members(connection, free_port):
    connection("zk", conn_type="incorta_zookeeper", host=f"127.0.0.1:{free_port}")
    reason = ZooKeeperQuorumSensor(task_id="a", incorta_zookeeper_conn_id="zk").reason()
    assert reason == f"no quorum: 0 of 1 members serve, no leader (127.0.0.1:{free_port} Connection refused)"


def test_an_agent_is_asked_at_its_port(connection, free_port, open_port):
    connection("node1", conn_type="incorta_node", host="127.0.0.1", extra={"agent_port": open_port})
    assert IncortaNodeSensor(task_id="a", incorta_node_conn_id="node1").reason() is None
    connection("node1", conn_type="incorta_node", host="127.0.0.1", extra={"agent_port": free_port})
    reason = IncortaNodeSensor(task_id="b", incorta_node_conn_id="node1").reason()
    assert reason == f"nobody listens at 127.0.0.1:{free_port}"


def test_the_cmc_is_asked_for_its_nodes(connection, monkeypatch):
    connection("cmc", conn_type="incorta_cmc", host="incorta-1")
    monkeypatch.setattr(cmc, "cmc_reason", lambda info, cluster, nodes: f"{info.conn_id} {cluster} {nodes}")
    assert CmcSensor(task_id="a", cluster="acme", nodes=2, incorta_cmc_conn_id="cmc").reason() == "cmc acme 2"


@pytest.mark.parametrize(
    ("service_reason", "analytics", "reason"),
    [
        ("starting", "analytics", "starting"),
        (None, "analytics", "analytics of acme: starting"),
        (None, "", None),
    ],
)
def test_a_service_is_asked_at_the_cmc_and_then_by_its_api(connection, monkeypatch, service_reason, analytics, reason):
    for conn_id in ("cmc", "node1", "node2", "analytics"):
        connection(conn_id, conn_type="any", host="incorta-1")
    asked = []

    def ask(info, cluster, service, nodes):
        asked.append((info.conn_id, cluster, service, [node.conn_id for node in nodes]))
        return service_reason

    monkeypatch.setattr(incorta_service, "service_reason", ask)
    monkeypatch.setattr(
        incorta_service, "analytics_reason", lambda info, tenant: f"{info.conn_id} of {tenant}: starting"
    )
    made = IncortaServiceSensor(
        task_id="a",
        service="analyticsService",
        cluster="acme",
        node_conn_ids=["node1", "node2"],
        incorta_cmc_conn_id="cmc",
        incorta_analytics_conn_id=analytics,
        tenant="acme",
    )
    assert made.reason() == reason
    assert asked == [("cmc", "acme", "analyticsService", ["node1", "node2"])]


def test_a_connection_that_is_not_there_fails_at_once():
    with pytest.raises(AirflowFailException, match="there is no connection 'nowhere'"):
        IncortaNodeSensor(task_id="a", incorta_node_conn_id="nowhere").poke({})


@pytest.mark.parametrize("part", list(Part))
def test_a_part_of_a_site_is_asked_by_the_topologys_names(monkeypatch, part):
    sites = {"newyork": object()}
    access = {"acme": SimpleNamespace(site=sites.__getitem__)}
    monkeypatch.setattr(site_ready, "dr_access", access.__getitem__)
    monkeypatch.setattr(site_ready, "not_ready", lambda site, asked: (site is sites["newyork"], asked))
    made = SiteReadySensor(task_id="a", group="acme", target="newyork", part=str(part))
    assert made.reason() == (True, part)


def test_there_is_no_other_part():
    with pytest.raises(ValueError, match="spark"):
        SiteReadySensor(task_id="a", group="acme", target="newyork", part="spark")
