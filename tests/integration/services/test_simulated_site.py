"""A whole site started and stopped by its documented scripts over SSH, and asked until it is ready.

The site is the lab's: real MariaDB, ZooKeeper and sshd, and a simulator of Incorta that refuses data which do not
belong together.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import pytest

from incorta_provider.connection import ConnectionInfo, connections_from_file
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.services.analytics import AnalyticsClient, SchemaStatus
from incorta_provider.services.cmc import CmcClient
from incorta_provider.services.node import IncortaNode
from incorta_provider.services.readiness import (
    agents_reason,
    analytics_reason,
    cmc_reason,
    service_reason,
    spark_reason,
)
from lab.incorta.database import connect
from lab.incorta.settings import load_settings
from lab.layout import Lab, Site
from lab.workload.at_site import prepare_primary

pytestmark = pytest.mark.lab

LOADER, ANALYTICS = "loaderService", "analyticsService"


@dataclass(frozen=True)
class Access:
    """The connections of the primary."""

    site: Site
    nodes: tuple[ConnectionInfo, ...]
    cmc: ConnectionInfo
    analytics: ConnectionInfo

    def on_nodes(self, call: Callable[[IncortaNode], object]) -> None:
        for info in self.nodes:
            with IncortaNode.from_connection(info) as node:
                call(node)

    def service_reason(self, service: str) -> str | None:
        return service_reason(self.cmc, "acme", service, self.nodes)


@pytest.fixture(scope="module")
def access(lab: Lab) -> Iterator[Access]:
    site = lab.sites[0]
    forget(site)
    prepare_primary(site)
    find = connections_from_file(lab.connections_file)
    nodes = tuple(find(node.conn_id) for node in site.nodes)
    made = Access(site, nodes, find("berlin_cmc"), find("berlin_analytics"))
    yield made
    stop_everything(made)


def forget(site: Site) -> None:
    """Remove what other tests left at the site: a load job that was cut off there shows as interrupted."""
    settings = load_settings(site.node(1).home)
    shutil.rmtree(site.lab.workload, ignore_errors=True)
    shutil.rmtree(settings.storage)
    (settings.storage / settings.tenant).mkdir(parents=True)
    with closing(connect(settings.database)) as session, session.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {settings.database.schema}")
        cursor.execute(f"CREATE DATABASE {settings.database.schema}")


def start_everything(access: Access) -> None:
    access.on_nodes(lambda node: node.start_node())
    wait(lambda: agents_reason(access.nodes))
    with IncortaNode.from_connection(access.nodes[0]) as node:
        node.start_cmc()
    wait(lambda: cmc_reason(access.cmc, "acme", 2))
    for service in (LOADER, ANALYTICS):
        access.on_nodes(lambda node, service=service: node.start_service(service))


def stop_everything(access: Access) -> None:
    for service in (ANALYTICS, LOADER):
        access.on_nodes(lambda node, service=service: node.stop_service(service))
    with IncortaNode.from_connection(access.nodes[0]) as node:
        node.stop_cmc()
    access.on_nodes(lambda node: node.stop_node())


def wait(reason: Callable[[], str | None], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while (seen := reason()) is not None:
        assert time.monotonic() < deadline, seen
        time.sleep(0.1)


@pytest.fixture(scope="module")
def running(access: Access) -> Access:
    start_everything(access)
    for service in (LOADER, ANALYTICS):
        wait(lambda service=service: access.service_reason(service))
    wait(lambda: analytics_reason(access.analytics, "acme"))
    return access


def test_nothing_is_ready_before_anything_was_started(access: Access) -> None:
    assert agents_reason(access.nodes) == "; ".join(
        f"{info.conn_id}: nobody listens at 127.0.0.1:{info.extra['agent_port']}" for info in access.nodes
    )
    for reason in (
        cmc_reason(access.cmc, "acme", 2),
        access.service_reason(LOADER),
        analytics_reason(access.analytics, "acme"),
    ):
        assert reason is not None
        assert "Connection refused" in reason


def test_release_and_services_of_a_node(access: Access) -> None:
    with IncortaNode.from_connection(access.nodes[0]) as node:
        assert node.version() == "2025.7.0"
        assert sorted(node.services()) == [ANALYTICS, LOADER]


def test_a_running_site_shows_its_cluster(running: Access) -> None:
    with CmcClient.from_connection(running.cmc) as client:
        state = client.cluster("acme")
    assert [(node.name, node.status, node.version) for node in state.nodes] == [
        ("node1", "Connected", "2025.7.0"),
        ("node2", "Connected", "2025.7.0"),
    ]
    assert {(entry.name, entry.status) for node in state.nodes for entry in node.services} == {
        (LOADER, "Started"),
        (ANALYTICS, "Started"),
    }
    assert state.tenants == ("acme",)
    assert state.scheduler_started is True


def test_a_running_site_answers_queries(running: Access) -> None:
    with AnalyticsClient.from_connection(running.analytics, "acme") as client:
        assert client.schemas() == ["NYC_FLIGHTS", "NYC_PLACES"]
        assert client.schema_status("NYC_PLACES") is SchemaStatus.SUCCEEDED
        assert client.row_count("NYC_PLACES", "AIRPORTS") == 1458


def test_wrong_passwords_are_refused(running: Access) -> None:
    with pytest.raises(ConfigurationError, match="the CMC refuses the login of 'admin'"):
        cmc_reason(replace(running.cmc, password="wrong"), "acme", 2)
    with pytest.raises(ConfigurationError, match="Analytics refuses the login of 'admin'"):
        analytics_reason(replace(running.analytics, password="wrong"), "acme")
    with pytest.raises(ConfigurationError, match="knows no cluster 'other'"):
        cmc_reason(running.cmc, "other", 2)


def test_a_second_start_is_a_pass(running: Access) -> None:
    start_everything(running)
    assert running.service_reason(LOADER) is None


def test_spark_starts_and_stops_by_its_own_scripts(access: Access) -> None:
    node = access.nodes[1]
    with IncortaNode.from_connection(node) as login:
        login.start_spark()
        wait(lambda: spark_reason([node]))
        login.start_spark()
        login.stop_spark()
    assert "nobody listens" in (spark_reason([node]) or "")


def test_what_was_stopped_is_not_ready_and_may_be_stopped_again(running: Access) -> None:
    stopped = "loaderService is started at 0 of 2 nodes"
    running.on_nodes(lambda node: node.stop_service(LOADER))
    wait(lambda: None if stopped in (running.service_reason(LOADER) or "") else "the CMC has not noticed")
    running.on_nodes(lambda node: node.stop_service(LOADER))
    running.on_nodes(lambda node: node.start_service(LOADER))
    wait(lambda: running.service_reason(LOADER))


def test_a_service_that_refuses_its_data_says_why_at_the_cmc_and_in_its_log(running: Access) -> None:
    running.on_nodes(lambda node: node.stop_service(LOADER))
    file = next((running.site.tenant / "source").rglob("*.parquet"))
    content = file.read_bytes()
    file.write_bytes(content[:-1])
    try:
        running.on_nodes(lambda node: node.start_service(LOADER))
        wait(lambda: None if "Failed" in (running.service_reason(LOADER) or "") else "not failed yet")
        assert "metadata and files do not belong together" in (running.service_reason(LOADER) or "")
        with IncortaNode.from_connection(running.nodes[0]) as node:
            assert file.name in node.service_log(LOADER)
    finally:
        file.write_bytes(content)
    running.on_nodes(lambda node: node.start_service(LOADER))
    wait(lambda: running.service_reason(LOADER))


def test_a_site_that_was_stopped_is_stopped_everywhere(running: Access) -> None:
    stop_everything(running)
    stop_everything(running)
    assert "nobody listens" in (agents_reason(running.nodes) or "")
    assert "Connection refused" in (cmc_reason(running.cmc, "acme", 2) or "")
