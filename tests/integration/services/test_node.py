"""The documented scripts of a node, run over a real sshd in a home that the test makes."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import contextmanager

import pytest

from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.services import node as node_module
from incorta_provider.services.node import IncortaNode

pytestmark = pytest.mark.lab

CALLS = [
    ("start_node", (), "IncortaNode/startNode.sh", "agent"),
    ("stop_node", (), "IncortaNode/stopNode.sh", "agent"),
    ("start_cmc", (), "cmc/start-cmc.sh", "cmc"),
    ("stop_cmc", (), "cmc/stop-cmc.sh", "cmc"),
    ("start_service", ("loaderService",), "IncortaNode/startService.sh", "loader"),
    ("stop_service", ("loaderService",), "IncortaNode/stopService.sh", "loader"),
    ("start_service", ("analyticsService",), "IncortaNode/startService.sh", "analytics"),
    ("stop_service", ("analyticsService",), "IncortaNode/stopService.sh", "analytics"),
]
STARTS = [call for call in CALLS if call[0].startswith("start")]
STOPS = [call for call in CALLS if call[0].startswith("stop")]


@pytest.fixture
def home(tmp_path):
    for folder in ("IncortaNode/services", "cmc"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


@pytest.fixture
def ports():
    """Ports where nobody listens, one for each part."""
    with (
        socket.create_server(("127.0.0.1", 0)) as agent,
        socket.create_server(("127.0.0.1", 0)) as cmc,
        socket.create_server(("127.0.0.1", 0)) as loader,
        socket.create_server(("127.0.0.1", 0)) as analytics,
    ):
        parts = {"agent": agent, "cmc": cmc, "loader": loader, "analytics": analytics}
        return {part: listener.getsockname()[1] for part, listener in parts.items()}


@pytest.fixture
def incorta(node, home, ports):
    info = node(extra={f"{part}_port": port for part, port in ports.items()})
    with IncortaNode.from_connection(info, run_id="run-1") as opened:
        yield opened


def write_script(path, body):
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@contextmanager
def listening(port, until):
    """Listen at the port until a file exists."""

    def watch():
        while not until.exists():
            time.sleep(0.02)
        listener.close()

    listener = socket.create_server(("127.0.0.1", port))
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        until.touch()
        thread.join()


@pytest.mark.parametrize(("method", "args", "script", "part"), CALLS)
def test_each_call_runs_its_script_once(incorta, home, method, args, script, part):
    write_script(home / script, f'printf "%s|" "$@" >>{home}/called; echo >>{home}/called')
    getattr(incorta, method)(*args)
    assert (home / "called").read_text() == "".join(f"{arg}|" for arg in args or ("",)) + "\n"


@pytest.mark.parametrize(("method", "args", "script", "part"), STARTS)
def test_a_start_that_fails_is_told_with_its_last_words(incorta, home, method, args, script, part):
    write_script(home / script, "echo no licence >&2; exit 3")
    with pytest.raises(TransientError) as caught:
        getattr(incorta, method)(*args)
    assert caught.value.what == f"{' '.join((script, *args))} ended with exit status 3: no licence"


@pytest.mark.parametrize(("method", "args", "script", "part"), STARTS)
def test_what_runs_already_is_started(incorta, home, ports, method, args, script, part):
    write_script(home / script, "echo already running >&2; exit 1")
    with listening(ports[part], home / "done"):
        getattr(incorta, method)(*args)


@pytest.mark.parametrize(("method", "args", "script", "part"), STOPS)
def test_a_stop_waits_until_the_port_is_closed(incorta, home, ports, method, args, script, part):
    write_script(home / script, f"(sleep 0.5; touch {home}/stopped) >/dev/null 2>&1 &")
    with listening(ports[part], home / "stopped"):
        getattr(incorta, method)(*args)
        assert (home / "stopped").exists()


@pytest.mark.parametrize(("method", "args", "script", "part"), STOPS)
def test_what_is_stopped_already_is_a_pass(incorta, home, method, args, script, part):
    write_script(home / script, "echo does not run >&2; exit 1")
    getattr(incorta, method)(*args)


@pytest.mark.parametrize(("method", "args", "script", "part"), STOPS)
def test_what_still_listens_is_not_stopped(incorta, home, ports, monkeypatch, method, args, script, part):
    monkeypatch.setattr(node_module, "STOP_TIMEOUT", 0.5)
    write_script(home / script, "exit 0")
    with listening(ports[part], home / "done"), pytest.raises(TransientError, match=f"{part} still listens"):
        getattr(incorta, method)(*args)


def test_a_service_without_a_known_port_is_taken_at_its_word(incorta, home):
    write_script(home / "IncortaNode/stopService.sh", "exit 0")
    incorta.stop_service("notebook")
    write_script(home / "IncortaNode/stopService.sh", "echo no such service >&2; exit 1")
    with pytest.raises(TransientError, match=r"stopService\.sh notebook ended with exit status 1: no such service"):
        incorta.stop_service("notebook")


def test_a_start_script_that_leaves_a_service_behind_returns(incorta, home):
    write_script(home / "IncortaNode/startNode.sh", f"sleep 60 & echo $! >{home}/pid; echo started")
    incorta.start_node()
    os.kill(int((home / "pid").read_text()), 9)  # it runs: nobody waited for its end


@pytest.mark.parametrize("mode", [None, 0o644])
def test_a_script_that_cannot_be_run_means_a_wrong_home(incorta, home, mode):
    if mode is not None:
        (home / "IncortaNode/startNode.sh").write_text("#!/bin/sh\n")
        (home / "IncortaNode/startNode.sh").chmod(mode)
    with pytest.raises(ConfigurationError, match=r"no Incorta home: cannot run IncortaNode/startNode\.sh") as caught:
        incorta.start_node()
    assert caught.value.where == f"connection berlin_node1: {home}"


def test_the_release_stands_in_a_file(incorta, home):
    (home / "IncortaNode/version.txt").write_text("2025.7.0\n")
    assert incorta.version() == "2025.7.0"


def test_no_release_means_a_wrong_home(incorta, home):
    with pytest.raises(ConfigurationError, match=r"version\.txt: No such file"):
        incorta.version()
    (home / "IncortaNode/version.txt").write_text(" \n")
    with pytest.raises(ConfigurationError, match=r"version\.txt is empty"):
        incorta.version()


def test_services_stand_in_the_index(incorta, home):
    index = home / "IncortaNode/services/services.index"
    index.write_text("# comment\nloaderService=1f0-a\n\n analyticsService = 2e1-b \nnonsense\n")
    assert incorta.services() == {"loaderService": "1f0-a", "analyticsService": "2e1-b"}


def test_the_log_of_a_service_is_its_newest_file(incorta, home):
    services = home / "IncortaNode/services"
    (services / "services.index").write_text("loaderService=1f0-a\n")
    assert incorta.service_log("loaderService") == ""
    logs = services / "1f0-a/logs/incorta"
    logs.mkdir(parents=True)
    for name, mtime in (("old.log", 1000), ("it's\nnew.log", 3000), ("older.log", 500)):
        (logs / name).write_text(f"first of {mtime}\nlast of {mtime}\n")
        os.utime(logs / name, (mtime, mtime))
    assert incorta.service_log("loaderService", lines=1) == "last of 3000\n"


@pytest.mark.parametrize("home_extra", [None, "", "relative/path"])
def test_a_connection_without_a_home_is_refused(node, home_extra):
    with pytest.raises(ConfigurationError, match="no Incorta home is set"):
        IncortaNode.from_connection(node(extra={"home": home_extra}))
