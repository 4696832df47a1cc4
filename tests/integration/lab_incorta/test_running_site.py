"""A site that runs: what its scripts, ports and REST calls say. Nothing here changes the site."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import httpx
import pytest

from lab.incorta.database import connect
from lab.incorta.live import live_tables
from lab.incorta.settings import NodeSettings, load_settings
from lab.incorta.site import loader_runs, start_site, statuses, stop_site
from lab.incorta.status import State
from lab.layout import Site
from lab.processes import family
from lab.servers.zookeeper import Ensemble
from lab.supervisor import markers
from lab.testbed import Pair
from lab.workload.at_site import prepare_primary

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def site(sites: Pair[Site], zookeeper_pair: Pair[Ensemble], make_primary: Callable[[], NodeSettings]) -> Iterator[Site]:
    """Lend the primary, installed, with a first load, and all its services running."""
    make_primary()
    assert prepare_primary(sites.primary)
    start_site(sites.primary)
    yield sites.primary
    stop_site(sites.primary)


@pytest.fixture(scope="module")
def settings(site: Site) -> NodeSettings:
    """Return what the first node knows."""
    return load_settings(site.node(1).home)


def get(port: int, path: str, **options: object) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False, timeout=60, **options)


def post(port: int, path: str, **options: object) -> httpx.Response:
    return httpx.post(f"http://127.0.0.1:{port}{path}", trust_env=False, timeout=60, **options)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def test_every_process_has_started_and_can_be_killed_with_its_site(site: Site) -> None:
    found = {(node, status.name): status.state for node, status in statuses(site)}
    assert found == dict.fromkeys(
        [("node1", name) for name in ("agent", "cmc", "analyticsService", "loaderService")]
        + [("node2", name) for name in ("agent", "analyticsService", "loaderService")],
        State.STARTED,
    )
    assert loader_runs(site)
    members = {process.pid for process in family(markers(site.lab, site.name))}
    assert members >= {status.pid for _, status in statuses(site)}


@pytest.mark.parametrize("kind", ["agent", "loader", "loader_status", "analytics_status"])
def test_each_port_answers(site: Site, kind: str) -> None:
    for node in site.nodes:
        assert get(node.port(kind), "/").json()["node"] == node.name


def test_a_second_start_starts_nothing(site: Site) -> None:
    before = {(node, status.name): status.pid for node, status in statuses(site)}
    start_site(site)
    time.sleep(0.5)
    assert {(node, status.name): status.pid for node, status in statuses(site)} == before


def test_the_site_is_prepared_only_once(site: Site) -> None:
    assert not prepare_primary(site)


def test_the_cmc_shows_the_cluster_with_its_traps(site: Site, settings: NodeSettings) -> None:
    port = site.port("cmc")
    token = get(port, "/cmc/api/v1/auth/login", auth=("admin", settings.cmc.password)).json()["token"]
    cluster = get(port, "/cmc/api/v1/clusters/acme", headers=bearer(token)).json()

    assert [(node["name"], node["status"], node["node_version"]) for node in cluster["nodes"]] == [
        ("node1", "Connected", "2025.7.0"),
        ("node2", "Connected", "2025.7.0"),
    ]
    services = [service for node in cluster["nodes"] for service in node["services"]]
    assert [service["status"] for service in services] == [{"statusType": "Started", "message": ""}] * 4
    assert cluster["tenants"] == [{"name": "acme", "path": str(site.storage), "enabled": True}]
    assert cluster["database"]["password"] == settings.database.password


def test_the_cmc_answers_html_with_status_200_without_a_session(site: Site) -> None:
    for headers in (bearer(""), bearer("no.such.token")):
        answer = get(site.port("cmc"), "/cmc/api/v1/clusters/acme", headers=headers)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")


def test_the_cmc_refuses_a_wrong_password_and_an_unknown_cluster(site: Site, settings: NodeSettings) -> None:
    port = site.port("cmc")
    assert get(port, "/cmc/api/v1/auth/login", auth=("admin", "wrong")).status_code == 401
    assert get(port, "/cmc/api/v1/auth/login").status_code == 401
    token = get(port, "/cmc/api/v1/auth/login", auth=("admin", settings.cmc.password)).json()["token"]
    assert get(port, "/cmc/api/v1/clusters/other", headers=bearer(token)).status_code == 404


def test_logging_in_at_analytics_gives_a_session_and_a_token(site: Site, settings: NodeSettings) -> None:
    port = site.port("analytics", 2)
    assert get(port, "/incorta/service/user/isLoggedIn").json() == {"isLoggedIn": False}
    form = {"tenant": "acme", "user": "admin", "pass": settings.analytics.password}
    assert post(port, "/incorta/authservice/login", data={**form, "pass": "wrong"}).status_code == 401

    answer = post(port, "/incorta/authservice/login", data=form)
    cookies = {"JSESSIONID": answer.cookies["JSESSIONID"]}
    assert get(port, "/incorta/service/user/isLoggedIn", cookies=cookies).json() == {"isLoggedIn": True}
    headers = bearer(answer.json()["accessToken"])
    assert get(port, "/incorta/api/v2/acme/schema/list", headers=headers).status_code == 200


def test_the_api_shows_schemas_and_counts_rows(site: Site, settings: NodeSettings) -> None:
    port, headers = site.port("analytics"), bearer(settings.analytics.password)
    listed = get(port, "/incorta/api/v2/acme/schema/list", headers=headers).json()
    assert listed["schemas"] == [
        {"schemaName": "NYC_FLIGHTS", "status": "Succeeded"},
        {"schemaName": "NYC_PLACES", "status": "Succeeded"},
    ]
    status = get(port, "/incorta/api/v2/acme/schema/NYC_FLIGHTS/status", headers=headers).json()
    assert status == {"schemaName": "NYC_FLIGHTS", "status": "Succeeded"}

    with closing(connect(settings.database)) as session:
        expected = {table.full_name: {"rows": table.rows, "commit": 1} for table in live_tables(session)}
    found = {
        full_name: post(
            port,
            "/incorta/api/v2/acme/query",
            headers=headers,
            json=dict(zip(("schema", "table"), full_name.split("."), strict=True)),
        ).json()
        for full_name in expected
    }
    assert found == expected
    assert found["NYC_PLACES.AIRPORTS"]["rows"] == 1458


def test_a_load_from_staging_is_taken_and_others_are_refused(site: Site, settings: NodeSettings) -> None:
    port, headers = site.port("analytics"), bearer(settings.analytics.password)
    body = {"schemaName": "NYC_PLACES", "loadSource": "STAGING"}
    path = "/incorta/api/v2/acme/schema/load"
    assert post(port, path, headers=headers, json=body).json() == {
        "schemaName": "NYC_PLACES",
        "status": "Succeeded",
        "tables": 2,
    }
    assert post(port, path, headers=headers, json={**body, "loadSource": "FULL"}).status_code == 400


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("/incorta/api/v2/acme/schema/list", "wrong", 401),
        ("/incorta/api/v2/acme/schema/list", "", 401),
        ("/incorta/api/v2/other/schema/list", None, 404),
        ("/incorta/api/v2/acme/schema/NONE/status", None, 404),
        ("/incorta/api/v2/acme/nothing", None, 404),
    ],
)
def test_the_api_refuses_what_it_does_not_know(
    site: Site, settings: NodeSettings, path: str, token: str | None, status: int
) -> None:
    headers = bearer(settings.analytics.password if token is None else token)
    assert get(site.port("analytics"), path, headers=headers).status_code == status


def test_one_loader_of_the_site_sends_the_mails_of_enabled_jobs(site: Site, settings: NodeSettings) -> None:
    deadline = time.monotonic() + 60
    while not site.outbox.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    mails = [json.loads(line) for line in site.outbox.read_text().splitlines()]
    assert {(mail["site"], mail["job"], mail["smtp_host"]) for mail in mails} == {
        ("berlin", "Daily delay report", "mail.berlin.example")
    }
    assert len({mail["node"] for mail in mails}) == 1
    with closing(connect(settings.database)) as session, session.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM NOTIFICATION WHERE EXPIRATION_DATE = '0000-00-00 00:00:00'")
        assert cursor.fetchone() > (0,)


def test_the_cmc_knows_whether_the_scheduler_runs(site: Site, settings: NodeSettings) -> None:
    port = site.port("cmc")
    token = get(port, "/cmc/api/v1/auth/login", auth=("admin", settings.cmc.password)).json()["token"]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if get(port, "/cmc/api/v1/clusters/acme", headers=bearer(token)).json()["scheduler_started"]:
            return
        time.sleep(0.1)
    pytest.fail("no Loader runs the scheduler")
