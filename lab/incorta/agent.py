"""The node agent: starts and stops the services of its node, and tells the CMC through ZooKeeper how they are.

A service is a process of its own and outlives the agent; a new agent finds it by its status file.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from incorta_provider.exceptions import DrError
from lab.incorta.home import Home
from lab.incorta.registry import Registry, registry
from lab.incorta.scripts import SERVICES
from lab.incorta.settings import NodeSettings
from lab.incorta.status import State, read_status, write_status
from lab.incorta.web import Request, Response, Route, json_response, serving

log = logging.getLogger(__name__)

NAME = "agent"
TICK_SECONDS = 0.25
_ROLES = {"analyticsService": "analytics", "loaderService": "loader"}
_WHEN_TOLD = 'read -r go && exec "$@"'
"""Becomes the program when a line comes in; ends when the agent dies before that."""


@contextmanager
def agent(home: Home, settings: NodeSettings) -> Iterator[None]:
    """Run the agent while the block runs."""
    node = Node(home, settings)
    with ExitStack() as parts:
        session = parts.enter_context(registry(settings.zookeeper, settings.cluster))
        parts.enter_context(serving(settings.ports["agent"], node.routes()))
        parts.enter_context(_telling(node, session))
        yield


@dataclass(frozen=True, slots=True)
class Node:
    """The services of one node."""

    home: Home
    settings: NodeSettings
    lock: threading.Lock = field(default_factory=threading.Lock)

    def routes(self) -> list[Route]:
        """Return everything that the agent answers."""
        return [
            Route("GET", "/", lambda _: json_response(self.describe())),
            Route("POST", "/services/([^/]+)/start", self.start),
        ]

    def describe(self) -> dict[str, Any]:
        """Return the node and its services as the CMC gets them."""
        services = [
            {"name": status.name, "state": status.state.value, "reason": status.reason}
            for status in (read_status(self.home, name) for name in SERVICES)
        ]
        return {"node": self.settings.node, "release": self.settings.release, "services": services}

    def start(self, request: Request) -> Response:
        """Start a service, unless it runs; the answer does not wait for what comes of it."""
        name = request.groups[0]
        with self.lock:
            try:
                started = not read_status(self.home, name).alive and self._launch(name)
            except DrError as error:
                return json_response({"message": str(error)}, 404)
        return json_response({"service": name, "message": "starting" if started else "runs already"}, 202)

    def _launch(self, name: str) -> bool:
        """Start the process of a service, which waits until its status says so: an older one would mislead."""
        output = self.home.service_log(name)
        output.parent.mkdir(parents=True, exist_ok=True)
        program = [sys.executable, "-P", "-m", "lab.incorta", _ROLES[name], "--home", str(self.home.path)]
        with output.open("ab") as stream:
            child = subprocess.Popen(
                ["/bin/sh", "-c", _WHEN_TOLD, name, *program],
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        write_status(self.home, name, State.STARTING, pid=child.pid)
        if child.stdin:
            child.stdin.write(b"go\n")
            child.stdin.close()
        log.info("%s: process %s", name, child.pid)
        return True


@contextmanager
def _telling(node: Node, session: Registry) -> Iterator[None]:
    """Keep the node's entry in ZooKeeper up to date in the background."""
    done = threading.Event()

    def tell() -> None:
        while not done.is_set():
            session.publish(f"nodes/{node.settings.node}", node.describe())
            done.wait(TICK_SECONDS)

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(timeout=10)
