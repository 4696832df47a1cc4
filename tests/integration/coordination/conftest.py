from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from incorta_provider.connection import ConnectionInfo
from lab.layout import Lab
from lab.processes import send
from lab.servers.server import start_all
from lab.servers.zookeeper import Ensemble, ZooKeeper
from lab.supervisor import Supervisor
from lab.testbed import Pair


@pytest.fixture
def ensemble(zookeeper_pair: Pair[Ensemble]) -> Ensemble:
    """Lend the primary's ensemble once it is at rest: what a test before did to it may still have it elect a leader."""
    deadline = time.monotonic() + 120
    while (found := modes(zookeeper_pair.primary)) != ["follower", "follower", "leader"]:
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return zookeeper_pair.primary


def modes(ensemble: Ensemble) -> list[str]:
    """Return what each member is, in the order of the words; empty for one that does not say it now."""
    return sorted(mode_of(member) for member in ensemble.members)


def mode_of(member: ZooKeeper) -> str:
    try:
        return member.mode()
    except OSError:
        return ""


@pytest.fixture
def info(ensemble: Ensemble) -> ConnectionInfo:
    return ConnectionInfo("berlin_zookeeper", host=ensemble.hosts)


@dataclass
class Faults:
    """Stops members of the ensemble; each is well again when the test is over."""

    supervisor: Supervisor

    def send(self, member: ZooKeeper, number: int) -> None:
        record = self.supervisor.get(member.name)
        assert record is not None
        send(record.process, number)

    def kill(self, *members: ZooKeeper) -> None:
        for member in members:
            self.supervisor.kill(member.name)


@pytest.fixture
def faults(lab_layout: Lab, ensemble: Ensemble) -> Iterator[Faults]:
    supervisor = Supervisor(lab_layout)
    yield Faults(supervisor)
    start_all(ensemble.members, supervisor)
