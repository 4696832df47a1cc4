"""Starts that are refused, and processes that end: the simulator says what is wrong, and recovers when it is mended."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import httpx
import pytest

from incorta_provider.exceptions import TransientError
from lab.incorta.consistency import check
from lab.incorta.database import Session, connect
from lab.incorta.home import Home
from lab.incorta.live import live_tables, table_files
from lab.incorta.settings import NodeSettings
from lab.incorta.site import loader_runs, start_site, statuses, stop_site
from lab.incorta.status import State, read_status
from lab.layout import Site
from lab.naive.sync import copy_files, copy_metadata, end, rewrite_values
from lab.processes import find
from lab.servers.zookeeper import Ensemble
from lab.testbed import Pair
from lab.workload.workload import Workload

pytestmark = pytest.mark.lab

Make = Callable[..., Workload]


@pytest.fixture
def site(sites: Pair[Site], zookeeper_pair: Pair[Ensemble], make_workload: Make) -> Iterator[Site]:
    """Lend the primary with a first load; nothing runs, and nothing runs on afterwards."""
    make_workload().step()
    yield sites.primary
    stop_site(sites.primary)


def script(site: Site, name: str, *arguments: str, node: int = 1) -> subprocess.CompletedProcess[str]:
    argv = [site.node(node).home / name, *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def wait_for(site: Site, name: str, *states: State) -> str:
    """Wait until a process of the first node is in one of the states, and return its reason."""
    deadline = time.monotonic() + 60
    home = Home(site.node(1).home)
    while (status := read_status(home, name)).state not in states and time.monotonic() < deadline:
        time.sleep(0.05)
    assert status.state in states
    return status.reason


def cmc_services(site: Site, settings: NodeSettings) -> list[tuple[str, dict[str, str]]]:
    """Return name and status of the first node's services, as the CMC shows them."""
    base = f"http://127.0.0.1:{site.port('cmc')}/cmc/api/v1"
    with httpx.Client(trust_env=False, timeout=60) as client:
        token = client.get(f"{base}/auth/login", auth=("admin", settings.cmc.password)).json()["token"]
        cluster = client.get(f"{base}/clusters/acme", headers={"Authorization": f"Bearer {token}"}).json()
    return [(service["name"], service["status"]) for service in cluster["nodes"][0]["services"]]


def test_an_inconsistent_site_is_refused_with_the_reason_everywhere(
    site: Site, primary: NodeSettings, session: Session
) -> None:
    path = table_files(session, live_tables(session)[0])[0].path
    (primary.storage / path).unlink()

    with pytest.raises(TransientError, match="metadata and files do not belong together") as caught:
        start_site(site)

    reason = f"{path} is not in the shared storage; TABLE_FILE names it"
    assert reason in str(caught.value)
    for name in ("analyticsService", "loaderService"):
        assert reason in wait_for(site, name, State.FAILED)
        assert reason in Home(site.node(1).home).service_log(name).read_text()
    deadline = time.monotonic() + 60
    while any(status["statusType"] != "Failed" for _, status in cmc_services(site, primary)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert all(reason in status["message"] for _, status in cmc_services(site, primary))
    assert not site.outbox.exists()


def test_status_0_of_a_start_script_proves_nothing(site: Site, primary: NodeSettings) -> None:
    shutil.rmtree(primary.storage / "acme/source")
    assert script(site, "IncortaNode/startNode.sh").returncode == 0
    wait_for(site, "agent", State.STARTED)
    assert script(site, "IncortaNode/startService.sh", "loaderService").returncode == 0
    assert "and 4 more" in wait_for(site, "loaderService", State.FAILED)


def test_a_mended_site_starts(site: Site, primary: NodeSettings) -> None:
    (primary.storage / "acme/source").rename(primary.storage / "away")
    with pytest.raises(TransientError):
        start_site(site)
    (primary.storage / "away").rename(primary.storage / "acme/source")
    start_site(site)
    assert loader_runs(site)


def test_a_service_that_was_killed_has_failed_and_can_start_again(site: Site) -> None:
    start_site(site)
    home = Home(site.node(1).home)
    os.kill(read_status(home, "loaderService").pid, signal.SIGKILL)
    assert "ended without a word" in wait_for(site, "loaderService", State.FAILED)

    assert script(site, "IncortaNode/startService.sh", "loaderService").returncode == 0
    wait_for(site, "loaderService", State.STARTED)


def test_services_outlive_their_agent_and_a_new_one_finds_them(site: Site) -> None:
    start_site(site)
    pid = read_status(Home(site.node(1).home), "loaderService").pid
    assert script(site, "IncortaNode/stopNode.sh").returncode == 0
    assert read_status(Home(site.node(1).home), "loaderService").alive

    assert script(site, "IncortaNode/startNode.sh").returncode == 0
    wait_for(site, "agent", State.STARTED)
    assert script(site, "IncortaNode/startService.sh", "loaderService").returncode == 0
    assert read_status(Home(site.node(1).home), "loaderService").pid == pid


def test_stopping_twice_is_no_error_and_ends_everything(site: Site) -> None:
    start_site(site)
    pids = [status.pid for _, status in statuses(site)]
    stop_site(site)
    stop_site(site)
    assert {status.state for _, status in statuses(site)} == {State.STOPPED}
    assert [pid for pid in pids if find(pid)] == []


def test_force_stops_at_once(site: Site) -> None:
    start_site(site)
    done = script(site, "IncortaNode/stopService.sh", "analyticsService", "-force")
    assert (done.returncode, done.stdout) == (0, "analyticsService has stopped\n")
    status = read_status(Home(site.node(1).home), "analyticsService")
    assert (status.state, status.alive) == (State.STOPPED, False)


def test_a_service_cannot_start_without_its_agent(site: Site) -> None:
    done = script(site, "IncortaNode/startService.sh", "loaderService")
    assert done.returncode == 1
    assert "the node agent does not answer" in done.stderr


@pytest.mark.parametrize("name", ["IncortaNode/startService.sh", "IncortaNode/stopService.sh"])
def test_scripts_refuse_a_service_that_there_is_not(site: Site, name: str) -> None:
    done = script(site, name, "notebookService")
    assert done.returncode == 1
    assert "there is no service 'notebookService'" in done.stderr
    assert script(site, name).returncode == 2


def test_a_snapshot_of_an_older_commit_is_rebuilt_at_the_start(site: Site, primary: NodeSettings) -> None:
    (primary.storage / "acme/ddm/NYC_FLIGHTS/FLIGHTS.ddm").unlink()
    start_site(site)
    log = Home(site.node(1).home).service_log("loaderService").read_text()
    other = Home(site.node(1).home).service_log("analyticsService").read_text()
    assert "snapshot of NYC_FLIGHTS.FLIGHTS rebuilt from Parquet, as of commit 1" in log + other
    assert (primary.storage / "acme/ddm/NYC_FLIGHTS/FLIGHTS.ddm").exists()


def test_a_loader_marks_the_loads_that_a_crash_interrupted(site: Site, session: Session) -> None:
    with session.cursor() as cursor:
        cursor.execute("UPDATE SCHEMA_STATUS SET STATUS = 'In Progress' WHERE SCHEMA_NAME = 'NYC_PLACES'")
    start_site(site)
    deadline = time.monotonic() + 60
    found: dict[str, str] = {}
    while found.get("NYC_PLACES") != "Interrupted" and time.monotonic() < deadline:
        time.sleep(0.1)
        with session.cursor() as cursor:
            cursor.execute("SELECT SCHEMA_NAME, STATUS FROM SCHEMA_STATUS")
            found = dict(cursor.fetchall())
    assert found == {"NYC_FLIGHTS": "Succeeded", "NYC_PLACES": "Interrupted"}


def test_a_disabled_tenant_sends_no_mail(site: Site, session: Session) -> None:
    with session.cursor() as cursor:
        cursor.execute("UPDATE TENANT SET ENABLED = 0")
    start_site(site)
    time.sleep(1.5)
    assert not site.outbox.exists()


def test_a_copy_starts_at_the_other_site_once_it_has_its_own_values(
    site: Site, sites: Pair[Site], primary: NodeSettings, dr: NodeSettings
) -> None:
    copy_files(end(primary), end(dr))
    copy_metadata(end(primary), end(dr))
    with pytest.raises(TransientError, match="tenant acme points to"):
        start_site(sites.dr)

    rewrite_values(end(dr))
    with closing(connect(dr.database)) as session:
        assert check(session, dr.storage, dr.values) == []
    try:
        start_site(sites.dr)
        deadline = time.monotonic() + 60
        while not sites.dr.outbox.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        mail = json.loads(sites.dr.outbox.read_text().splitlines()[0])
        assert (mail["site"], mail["smtp_host"]) == ("newyork", "mail.newyork.example")
    finally:
        stop_site(sites.dr)
