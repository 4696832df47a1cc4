"""The lab's real servers as session fixtures: each test run has servers and ports of its own.

``mariadb_pair``, ``zookeeper_pair``, ``sshd_nodes`` and ``s3_server`` start only what they name; ``lab`` starts
everything but the S3 server. A server that is missing or does not start fails the tests that need it, with the reason;
nothing is skipped.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator

import pytest
from pytest_timeout import Settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from lab.layout import Lab
from lab.passwords import passwords
from lab.servers.ceph import CephS3
from lab.servers.mariadb import MariaDb
from lab.servers.server import start_all
from lab.servers.sshd import Sshd, known_nodes
from lab.servers.zookeeper import Ensemble
from lab.supervisor import Supervisor
from lab.testbed import Pair, borrowed
from lab.up import up
from tests.builders.lab_state import STATE

log = logging.getLogger(__name__)

TEARDOWN_SECONDS = 300


class ByFolder(LoadScopeScheduling):
    """Keeps the tests of a folder in one process when there are several: they share servers.

    Unit tests share none and go by file: they come last, and a process that took a whole folder of them would be at
    work when the others have none left.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", maxsplit=1)[0]
        return file if file.startswith("tests/unit/") else file.rpartition("/")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFolder:
    """Hand tests out to processes."""
    return ByFolder(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """Limit each teardown in time: pytest-timeout lets go of a test that failed, and its teardown may wait for ever.

    A transaction that such a test left open holds up the DROP of its schema, for a day by MariaDB's default.
    """
    limit = Settings(TEARDOWN_SECONDS, "signal", func_only=False, disable_debugger_detection=False)
    item.config.hook.pytest_timeout_set_timer(item=item, settings=limit)
    yield


@pytest.fixture(scope="session")
def lab_layout() -> Iterator[Lab]:
    """Lend this run's lab, with nothing started; all its processes end with the run."""
    with borrowed(STATE) as lab:
        yield lab


@pytest.fixture(scope="session")
def mariadb_pair(lab_layout: Lab) -> Pair[MariaDb]:
    """Start the metadata database servers of both sites."""
    drawn = passwords(lab_layout)
    pair = Pair(*(MariaDb(site, drawn.sites[site.name]) for site in lab_layout.sites))
    start_all(pair, Supervisor(lab_layout))
    return pair


@pytest.fixture(scope="session")
def zookeeper_pair(lab_layout: Lab) -> Pair[Ensemble]:
    """Start the ZooKeeper ensembles of both sites."""
    pair = Pair(*(Ensemble(site) for site in lab_layout.sites))
    start_all([*pair.primary.members, *pair.dr.members], Supervisor(lab_layout))
    return pair


@pytest.fixture(scope="session")
def sshd_nodes(lab_layout: Lab) -> dict[str, Sshd]:
    """Start the sshd of every node; the key is the connection id, for example ``berlin_node1``."""
    nodes = {sshd.node.conn_id: sshd for sshd in known_nodes(lab_layout)}
    start_all(nodes.values(), Supervisor(lab_layout))
    return nodes


@pytest.fixture(scope="session")
def s3_server(lab_layout: Lab) -> CephS3:
    """Start the S3 server, which keeps its objects in memory."""
    server = CephS3(lab_layout)
    server.start(Supervisor(lab_layout))
    return server


@pytest.fixture(scope="session")
def lab(lab_layout: Lab) -> Lab:
    """Start every server of both sites, and write the topology, the connections and the Incorta homes."""
    up(lab_layout, log.info)
    return lab_layout
