"""Workers and agents that are killed in the middle: nothing writes on, and the next one goes on where they were."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.copying.transfer import copy_delta
from incorta_provider.storage.ssh import batches
from incorta_provider.storage.ssh.target import SshTarget
from incorta_provider.storage.url import open_target, open_tree
from lab.processes import all_processes, family, is_alive
from lab.supervisor import markers
from tests.benchmarks.relay import Line, Relay
from tests.builders.storage import put

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[4]
FILES = 150
SIZE = 10_000


@pytest.fixture(params=["pull", "push", "node to node"])
def order(request, tmp_path, primary, dr, monkeypatch):
    """Return what a worker is told, with the connection that goes through a relay of the test."""
    monkeypatch.setattr(batches, "PACKED_BYTES", 0)  # rsync is to be at work
    put(tmp_path / "source", {f"{number:04d}": os.urandom(SIZE) for number in range(FILES)})
    (tmp_path / "node").mkdir()
    catalog = Catalog(tmp_path / "catalog")
    catalog.initialise("acme", "newyork")
    with Relay(dr().port if request.param == "push" else primary().port, Line(rate=600_000)) as relay:
        nodes = {"berlin_node1": primary(), "newyork_node1": dr()}
        slow = "newyork_node1" if request.param == "push" else "berlin_node1"
        nodes[slow] = dataclasses.replace(nodes[slow], port=relay.port)
        here = {"source": f"file://{tmp_path}/source", "target": f"file://{tmp_path}/node/live"}
        there = {
            "source": f"ssh://berlin_node1{tmp_path}/source",
            "target": f"ssh://newyork_node1{tmp_path}/node/live",
        }
        ends = {
            "pull": {"source": there["source"], "target": here["target"]},
            "push": {"source": here["source"], "target": there["target"]},
            "node to node": there,
        }[request.param]
        described = {conn_id: dataclasses.asdict(info) for conn_id, info in nodes.items()}
        told = {**ends, "catalog": str(catalog.root), "connections": described}
        target = open_target(told["target"], catalog, nodes.__getitem__)
        target.initialise()
        yield told, relay, target, nodes


def start_worker(told):
    argv = [sys.executable, "-m", "tests.integration.storage.ssh.copy_worker", json.dumps(told)]
    return subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def processes_in(folder):
    """Return the processes, other than this one and the servers, whose command line names a folder of the test."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line and ("rsync" in line or "copy_worker" in line):
            found[int(process.name)] = line
    return found


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def staged_folder(target):
    workspace = target.catalog.workspace("a run")
    if isinstance(target, SshTarget):
        return Path(os.fsdecode(target.volume.path(target.area(workspace))))
    return workspace.files


def finish(told, target, nodes):
    source = open_tree(told["source"], nodes.__getitem__)
    return copy_delta(source, target, None, target.catalog.workspace("a run"), final=True)


def test_a_worker_that_is_killed_leaves_nothing_that_writes_and_no_login(order, tmp_path, lab_layout):
    told, relay, target, nodes = order
    others = masters_at(lab_layout)  # of agents that idle since another test
    worker = start_worker(told)
    assert worker.stdout.readline() == "begins\n"
    assert wait_until(lambda: relay.moved > 0.4 * FILES * SIZE, 60)
    relay.stop()  # or a busy machine is through with the copy before it has looked at all processes
    assert processes_in(tmp_path)
    masters = [master for master in masters_at(lab_layout, worker.pid) if master not in others]
    assert masters
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    relay.go_on()
    assert wait_until(lambda: not processes_in(tmp_path), 60), processes_in(tmp_path)
    assert wait_until(lambda: not [master for master in masters if is_alive(master)], 60)
    report = finish(told, target, nodes)
    assert report.copied_files + report.reused == FILES
    staged = staged_folder(target)
    for number in range(FILES):
        name = f"{number:04d}"
        assert (staged / name).read_bytes() == (tmp_path / "source" / name).read_bytes()
    assert len(list(staged.iterdir())) == FILES


def test_rsync_that_is_killed_is_started_again(order, tmp_path):
    told, relay, target, nodes = order

    def kill():
        wait_until(lambda: relay.moved > 0.4 * FILES * SIZE, 60)
        for pid in processes_in(tmp_path):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    report = finish(told, target, nodes)
    killer.join()
    assert report.copied_files == FILES


def test_agents_that_are_killed_are_replaced(order, tmp_path, lab_layout):
    told, relay, target, nodes = order
    agents = []

    def kill():
        wait_until(lambda: relay.moved > 0.4 * FILES * SIZE, 60)
        agents.extend(agents_of(lab_layout))
        for pid in agents:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    report = finish(told, target, nodes)
    killer.join()
    assert agents
    assert report.copied_files == FILES


def agents_of(lab):
    """Return the agents at the nodes of this test run's lab, and of no other."""
    members = family(markers(lab))
    return [process.pid for process in members if b"expanduser" in command_line(process.pid)]


def masters_at(lab, worker=0):
    """Return the logins that the lines of a worker have, and those of agents at the nodes."""
    at_nodes = family(markers(lab))
    return [
        process
        for process in all_processes().values()
        if (process.parent == worker or process in at_nodes) and b"\0-M\0-N\0" in command_line(process.pid)
    ]


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
