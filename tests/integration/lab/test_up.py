"""The lab comes up from nothing and from any half-made state, and a killed site leaves no process behind.

The tests share one lab and build on each other's state on purpose: each says what it needs by bringing it up itself.
"""

from __future__ import annotations

import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
import pytest

from incorta_provider.exceptions import ConfigurationError, PreconditionError
from lab.layout import Lab
from lab.passwords import passwords
from lab.processes import Process, family
from lab.servers.mariadb import MariaDb
from lab.servers.server import port_is_free, start
from lab.servers.sshd import Sshd
from lab.state import exclusive
from lab.supervisor import Supervisor, markers
from lab.up import kill_site, status, up

pytestmark = pytest.mark.lab

CHECKOUT = Path(__file__).resolve().parents[3]


def quiet(line: str) -> None:
    """Take a line of progress."""


def command(lab: Lab, *words: str) -> list[str]:
    return [sys.executable, "-m", "lab", words[0], "--root", str(lab.root), "--base", str(lab.base), *words[1:]]


def run(lab: Lab, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(lab, *words), cwd=CHECKOUT, capture_output=True, text=True, check=False)


def database(lab: Lab, site: str = "berlin") -> MariaDb:
    return MariaDb(lab.site(site), passwords(lab).sites[site])


@pytest.mark.parametrize(
    "after", [0.5, 1.6, *(pytest.param(seconds, marks=pytest.mark.chaos) for seconds in (0.25, 0.9))]
)
def test_up_finishes_what_a_killed_up_began(own_lab: Lab, after: float) -> None:
    """The moments lie before, within and after the making of the databases, and within the starts."""
    Supervisor(own_lab).kill_all()
    shutil.rmtree(own_lab.root)
    first = subprocess.Popen(command(own_lab, "up"), cwd=CHECKOUT, stdout=subprocess.DEVNULL)
    time.sleep(after)
    first.send_signal(signal.SIGKILL)
    first.wait()
    second = run(own_lab, "up")
    assert second.returncode == 0, second.stderr
    assert {server.reason for server in status(own_lab)} == {""}
    roots = [record.process for record in Supervisor(own_lab).records()]
    assert len(roots) == 12
    assert settled_family(own_lab, roots) == {process.pid for process in roots}


def settled_family(lab: Lab, roots: list[Process]) -> set[int]:
    """Return the processes of the lab once sshd has ended those which answered the status."""
    wait_for(lambda: len(family(markers(lab), roots)) == len(roots))
    return {process.pid for process in family(markers(lab), roots)}


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)


def test_down_ends_everything_and_up_finds_the_data_again(own_lab: Lab) -> None:
    up(own_lab, quiet)
    with database(own_lab).connect("incorta") as connection, connection.cursor() as cursor:
        cursor.execute("CREATE OR REPLACE TABLE kept (id INT PRIMARY KEY)")
        cursor.execute("INSERT INTO kept VALUES (7)")
    assert run(own_lab, "down").returncode == 0
    assert family(markers(own_lab)) == []
    stopped = run(own_lab, "status")
    assert (stopped.returncode, stopped.stdout.count("stopped")) == (1, 12)
    assert run(own_lab, "down").returncode == 0
    assert run(own_lab, "up").returncode == 0
    ready = run(own_lab, "status")
    assert (ready.returncode, ready.stdout.count("ready")) == (0, 12)
    with database(own_lab).connect("incorta") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM kept")
        assert cursor.fetchall() == ((7,),)


def test_a_second_up_changes_nothing(own_lab: Lab) -> None:
    up(own_lab, quiet)
    before = Supervisor(own_lab).records()
    files = (own_lab.passwords_file, own_lab.connections_file, own_lab.topology_file, own_lab.known_hosts)
    contents = [path.read_bytes() for path in files]
    up(own_lab, quiet)
    assert Supervisor(own_lab).records() == before
    assert [path.read_bytes() for path in files] == contents


@pytest.fixture
def session(own_lab: Lab) -> Iterator[paramiko.SSHClient]:
    up(own_lab, quiet)
    sshd = Sshd(own_lab.site("berlin").node(1))
    client = paramiko.SSHClient()
    client.load_host_keys(str(sshd.known_hosts))
    client.connect(sshd.host, sshd.port, sshd.user, key_filename=str(sshd.key_file), look_for_keys=False)
    yield client
    client.close()


def test_kill_site_takes_sessions_and_daemons_too_and_leaves_the_other_site(
    own_lab: Lab, session: paramiko.SSHClient
) -> None:
    """What a script leaves is a daemon: no parent, no session of sshd, no record."""
    site = own_lab.site("berlin")
    session.exec_command("exec sleep 301")
    _, output, _ = session.exec_command(shlex.quote(str(site.node(1).home / "IncortaNode/startNode.sh")))
    assert output.read() == b"Starting the node agent\n"
    agent = site.node(1).port("agent")
    wait_for(lambda: not port_is_free(agent))
    roots = [record.process for record in Supervisor(own_lab).records("berlin")]
    before = family(markers(own_lab, "berlin"), roots)
    assert len(before) > len(roots) == 6
    kill_site(own_lab, "berlin", quiet)
    assert family(markers(own_lab, site.name), before) == []
    assert port_is_free(agent)
    ways = {(server.site, server.reason) for server in status(own_lab)}
    assert ways == {("berlin", "stopped"), ("newyork", "")}


def test_a_killed_site_comes_back(own_lab: Lab) -> None:
    up(own_lab, quiet)
    kill_site(own_lab, "newyork", quiet)
    up(own_lab, quiet)
    assert {server.reason for server in status(own_lab)} == {""}


def test_a_port_that_is_taken_is_named_with_its_server(own_lab: Lab) -> None:
    Supervisor(own_lab).kill_all()
    server = database(own_lab)
    with socket.create_server(("127.0.0.1", server.port)):
        answer = run(own_lab, "up")
    assert answer.returncode == 1
    assert f"port {server.port} of berlin-mariadb is taken by another program" in answer.stderr
    assert "--base" in answer.stderr


def test_a_server_that_fails_is_named_with_the_end_of_its_log(own_lab: Lab) -> None:
    supervisor = Supervisor(own_lab)
    server = database(own_lab, "newyork")
    supervisor.kill(server.name)
    marker = server.site.mariadb / "data" / "ibdata1"
    hidden = marker.with_name("hidden")
    marker.rename(hidden)
    marker.mkdir()
    try:
        with pytest.raises(ConfigurationError) as caught:
            start(server, supervisor, seconds=30)
    finally:
        marker.rmdir()
        hidden.rename(marker)
    assert "newyork-mariadb did not start: it ended" in caught.value.what
    assert "ibdata1" in caught.value.what
    assert caught.value.where == str(server.log)


def test_a_database_whose_account_a_fence_locked_still_counts_as_up(own_lab: Lab) -> None:
    up(own_lab, quiet)
    server = database(own_lab)
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("ALTER USER incorta@'127.0.0.1' ACCOUNT LOCK")
    Supervisor(own_lab).kill(server.name)
    up(own_lab, quiet)
    assert {server.reason for server in status(own_lab)} == {""}
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT JSON_VALUE(Priv, '$.account_locked') FROM mysql.global_priv WHERE User = 'incorta'")
        assert ("1",) in cursor.fetchall(), "a restart must not undo a fence"
        cursor.execute("ALTER USER incorta@'127.0.0.1' ACCOUNT UNLOCK")


def test_other_ports_than_the_labs_own_are_refused(own_lab: Lab) -> None:
    up(own_lab, quiet)
    words = [sys.executable, "-m", "lab", "up", "--root", str(own_lab.root), "--base", "31000"]
    answer = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert f"made with --base {own_lab.base}, not 31000" in answer.stderr


def test_two_commands_at_once_are_refused(own_lab: Lab) -> None:
    with exclusive(own_lab), pytest.raises(PreconditionError, match="another command is changing this lab"):
        up(own_lab, quiet)
