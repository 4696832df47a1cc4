"""Nodes of the old site that take a connection and hang, or close it, and nodes of the new one that answer late."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.ssh.shell import NodeShell
from incorta_provider.steps.cutover.fence import fence
from incorta_provider.steps.cutover.stop_target import stop_target
from incorta_provider.steps.watch import watch
from lab.layout import DR, PRIMARY
from lab.ours.loop import one_round
from tests.scenarios.acts import approve, cutover, request
from tests.scenarios.test_fence import may_work

pytestmark = [pytest.mark.lab, pytest.mark.scenario, pytest.mark.timeout(300)]

LATE_SECONDS = 1.0

Door = Callable[[socket.socket], None]
"""What answers one connection."""


def hangs(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.recv(1 << 16)
        connection.recv(1 << 16)


def closes(_: socket.socket) -> None:
    return


def late(port: int) -> Door:
    """Return a way to the real node whose first answer takes its time."""

    def answer(connection: socket.socket) -> None:
        time.sleep(LATE_SECONDS)
        with socket.create_connection(("127.0.0.1", port)) as node:
            back = threading.Thread(target=_pass_on, args=(node, connection), daemon=True)
            back.start()
            _pass_on(connection, node)
            back.join()

    return answer


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(1 << 16):
            sink.sendall(chunk)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def listening(door: Door) -> Iterator[int]:
    """Serve connections one after the other or at once, and give the port."""

    def answer(connection: socket.socket) -> None:
        with closing(connection):
            door(connection)

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@contextmanager
def with_doors(stage, doors: dict[str, Door]) -> Iterator[object]:
    """Give the stage with other doors for some nodes; what their services listen at stays."""
    with ExitStack() as stack:
        ports = {conn_id: stack.enter_context(listening(door)) for conn_id, door in doors.items()}

        def find(conn_id: str) -> ConnectionInfo:
            info = stage.access.connections(conn_id)
            if conn_id not in ports:
                return info
            known = f"[127.0.0.1]:{info.port}"
            keys = Path(info.extra["known_hosts_file"]).read_text().splitlines()
            key = next(line.partition(" ")[2] for line in keys if line.startswith(known))
            extra = {**info.extra, "host_key": key, "known_hosts_file": None}
            return replace(info, port=ports[conn_id], extra=extra)

        yield replace(stage, access=replace(stage.access, connections=find))


def test_a_fence_says_which_nodes_did_not_answer_and_goes_on_when_they_do(stage, monkeypatch) -> None:
    stage.workload().step()
    one_round(stage.lab)
    with with_doors(stage, {f"{PRIMARY}_node1": hangs, f"{PRIMARY}_node2": closes}) as bad:
        run = cutover(bad)
        request(bad, run)
        approve(bad, run)
        with monkeypatch.context() as impatient:
            impatient.setattr(NodeShell.__init__, "__defaults__", (2.0,))
            result = fence(run)
    assert sorted(result["not_reached"]) == [f"services of {PRIMARY}_node1", f"services of {PRIMARY}_node2"]
    assert all("SSH failed" in reason for reason in result["not_reached"].values()), json.dumps(result)
    assert result["stopped"] == ["epoch registry", "database"]
    assert may_work(stage) is False
    facts = watch(stage.access, by="the watcher")[PRIMARY]
    assert (facts["unfenced"], facts["not_reached"]) == (False, {})

    ports = {node.conn_id: stage.access.connections(node.conn_id).port for node in stage.access.site(DR).config.nodes}
    with with_doors(stage, {conn_id: late(port) for conn_id, port in ports.items()}) as slow:
        assert stop_target(cutover(slow))["nodes"] == list(ports)
