"""How any server is started: ports first, then the preparation, then patience until it is ready, and no longer."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from incorta_provider.exceptions import ConfigurationError, PreconditionError
from lab.layout import Lab
from lab.servers.server import port_is_free, start, start_all
from lab.supervisor import Supervisor


@dataclass
class FakeServer:
    """A shell that says it is ready by making a file."""

    folder: Path
    script: str = "touch ready; exec sleep 60"
    name: str = "fake"
    site_name: str = "berlin"
    ports: Sequence[int] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    prepared: int = 0

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def prepare(self) -> None:
        self.prepared += 1

    def command(self) -> Sequence[str]:
        return ("sh", "-c", self.script)

    def not_ready(self) -> str:
        return "" if (self.folder / "ready").exists() else "no file"


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(Lab(tmp_path, 10000))
    yield supervisor
    supervisor.kill_all()


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_server_is_prepared_once_and_started_once(supervisor: Supervisor, tmp_path: Path) -> None:
    server = FakeServer(tmp_path)
    start(server, supervisor)
    record = supervisor.get("fake")
    start(server, supervisor)
    assert supervisor.get("fake") == record
    assert server.prepared == 1


def test_a_taken_port_is_refused_before_anything_is_made(
    supervisor: Supervisor, tmp_path: Path, taken_port: int
) -> None:
    server = FakeServer(tmp_path, ports=(taken_port,))
    with pytest.raises(PreconditionError) as caught:
        start(server, supervisor)
    assert caught.value.what == f"port {taken_port} of fake is taken by another program"
    assert "--base" in caught.value.fix
    assert server.prepared == 0
    assert supervisor.records() == []


def test_a_server_that_ends_is_reported_at_once_with_its_last_words(supervisor: Supervisor, tmp_path: Path) -> None:
    server = FakeServer(tmp_path, script="echo first; echo 'cannot read the data'; exit 3")
    with pytest.raises(ConfigurationError, match=r"fake did not start: it ended.*\n.*\ncannot read the data"):
        start(server, supervisor, seconds=60)


def test_a_server_that_never_gets_ready_is_reported_in_time(supervisor: Supervisor, tmp_path: Path) -> None:
    server = FakeServer(tmp_path, script="exec sleep 60")
    with pytest.raises(ConfigurationError, match="fake did not start: no file"):
        start(server, supervisor, seconds=0.2)


def test_all_servers_start_although_one_fails_and_the_fault_is_told(supervisor: Supervisor, tmp_path: Path) -> None:
    bad = FakeServer(tmp_path, script="exit 1", name="bad")
    good = FakeServer(tmp_path / "good", script=f"touch {tmp_path}/good/ready; exec sleep 60", name="good")
    good.folder.mkdir()
    with pytest.raises(ConfigurationError, match="bad did not start"):
        start_all([bad, good], supervisor)
    assert supervisor.alive("good")


def test_a_port_is_free_again_after_its_listener(taken_port: int) -> None:
    assert not port_is_free(taken_port)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert port_is_free(port)
