"""The workload as a process: it waits for a Loader, tells what it does, and leaves nothing half when it is killed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest

from lab.incorta.checker import check as check_commits
from lab.incorta.consistency import check
from lab.incorta.database import Session
from lab.incorta.settings import NodeSettings
from lab.incorta.site import start_site, stop_site
from lab.layout import Site
from lab.servers.zookeeper import Ensemble
from lab.supervisor import Supervisor
from lab.testbed import Pair
from lab.workload.at_site import checkout, command
from lab.workload.commit_log import CommitLog
from lab.workload.workload import Workload

pytestmark = pytest.mark.lab

NAME = "berlin-workload"


@pytest.fixture
def site(sites: Pair[Site], zookeeper_pair: Pair[Ensemble], make_workload: Callable[..., Workload]) -> Iterator[Site]:
    """Lend the primary with a first load and the workload's process running; the site's services do not run yet."""
    make_workload().step()
    primary, supervisor = sites.primary, Supervisor(sites.primary.lab)
    supervisor.start(
        NAME,
        command(primary, interval=0.05, cleanup="aggressive"),
        log=primary.lab.workload / "log",
        site=primary.name,
        env={"PYTHONPATH": str(checkout())},
    )
    yield primary
    supervisor.kill(NAME)
    stop_site(primary)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def phase(log: CommitLog) -> str:
    return str(json.loads(log.state_file.read_text())["phase"])


def test_it_loads_while_a_loader_runs_and_a_kill_leaves_every_commit_whole(
    site: Site, primary: NodeSettings, session: Session, log: CommitLog
) -> None:
    wait_until(lambda: phase(log) == "waiting")
    assert len(log.commits()) == 1

    start_site(site)
    wait_until(lambda: len(log.commits()) >= 3)
    wait_until(lambda: phase(log) == "load")
    Supervisor(site.lab).kill(NAME)

    assert check(session, primary.storage, primary.values) == []
    verdict = check_commits(session, primary.storage, log.folder)
    assert (verdict.commits_half, verdict.lost, verdict.problems) == ((), (), ())


def test_it_stops_loading_with_the_last_loader(site: Site, log: CommitLog) -> None:
    start_site(site)
    wait_until(lambda: len(log.commits()) >= 2)
    stop_site(site)
    wait_until(lambda: phase(log) == "waiting")
    count = len(log.commits())
    time.sleep(1.5)
    assert len(log.commits()) == count
