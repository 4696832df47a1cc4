"""The image and the services of docker/, started for real: what an Airflow of a site has to be able to do."""

from __future__ import annotations

import time

import httpx
import pytest

from lab.airflow.client import AirflowClient
from lab.airflow.health import PATH, Part
from tests.docker.conftest import ADMIN, Running

pytestmark = [pytest.mark.docker, pytest.mark.timeout(3600)]

DAGS = {
    "incorta_dr_cutover__acme",
    "incorta_maintenance__acme__berlin",
    "incorta_maintenance__acme__newyork",
    "incorta_replication__acme__berlin",
    "incorta_replication__acme__newyork",
    "incorta_watch__acme",
    "node_answers",
}
FORMS = {"incorta_node", "incorta_cmc", "incorta_analytics", "incorta_zookeeper"}
RUN_SECONDS = 180


@pytest.fixture
def session(running: Running) -> httpx.Client:
    """Return the administrator's session, for any path."""
    client = httpx.Client(base_url=running.url, timeout=60, trust_env=False)
    answer = client.post("/auth/token", json={"username": ADMIN, "password": running.password})
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return client


def test_every_part_of_airflow_is_healthy(session: httpx.Client) -> None:
    report = session.get(PATH).json()
    assert {part: report[part]["status"] for part in Part} == dict.fromkeys(Part, "healthy")


def test_the_api_server_is_at_the_loopback_address_alone(running: Running) -> None:
    assert running.compose("port", "api-server", "8080").strip() == running.url.removeprefix("http://")


def test_the_dags_of_the_topology_are_read_without_an_import_error(admin: AirflowClient) -> None:
    admin.wait_until_parsed(*DAGS)
    assert (set(admin.dag_ids()), admin.import_errors()) == (DAGS, [])


def test_provider_and_plugin_are_loaded(session: httpx.Client) -> None:
    providers = session.get("/api/v2/providers", params={"limit": 200}).json()["providers"]
    assert "incorta-provider" in {provider["package_name"] for provider in providers}
    assert session.get("/api/v2/plugins/importErrors").json()["import_errors"] == []
    assert "incorta_dr" in {plugin["name"] for plugin in session.get("/api/v2/plugins").json()["plugins"]}


def test_the_ui_its_connection_forms_and_our_pages_load(session: httpx.Client) -> None:
    assert '<div id="root"' in session.get("/").text
    forms = {form["connection_type"]: form for form in session.get("/ui/connections/hook_meta").json()}
    assert forms.keys() >= FORMS
    assert "key_file" in forms["incorta_node"]["extra_fields"]
    page = session.get("/incorta-dr/")
    assert (page.status_code, "acme" in page.text) == (200, True)
    assert httpx.get(f"{session.base_url}/incorta-dr/", trust_env=False).status_code == 401


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("id --user --name", "airflow"),
        ("id --group", "0"),
        ("mariadb-dump --version", "mariadb-dump"),
        ("mariadb --version", "mariadb"),
        ("rsync --version", "rsync  version 3"),
        ("ssh -V 2>&1", "OpenSSH_"),
        ("incorta-dr topology check", "group acme: primary berlin, DR newyork"),
        ("cat /opt/incorta/key", "a private key"),
        ("touch /mnt/primary/x /mnt/dr/x && ls /mnt/*/x", "/mnt/dr/x\n/mnt/primary/x"),
        ("touch /opt/incorta/x 2>&1 || true", "Read-only file system"),
    ],
)
def test_the_worker_has_what_the_product_needs(running: Running, command: str, said: str) -> None:
    assert said in running.compose.inside("scheduler", command)


def test_a_sensor_of_ours_runs_with_a_connection_made_in_the_ui(session: httpx.Client, admin: AirflowClient) -> None:
    """The API server takes the part of the node's agent: what answers at a port."""
    extra = '{"agent_port": 8080}'
    node = {"connection_id": "some_node", "conn_type": "incorta_node", "host": "api-server", "extra": extra}
    assert session.post("/api/v2/connections", json=node).status_code == 201
    admin.wait_until_parsed("node_answers")
    admin.unpause("node_answers")
    run_id = admin.trigger("node_answers", {})
    deadline = time.monotonic() + RUN_SECONDS
    while (state := admin.run_state("node_answers", run_id)) not in {"success", "failed"}:
        assert time.monotonic() < deadline, f"still {state}"
        time.sleep(1)
    (task,) = admin.tasks("node_answers", run_id)
    assert state == "success"
    assert "Success criteria met. Exiting." in admin.log("node_answers", run_id, task)
