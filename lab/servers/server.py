"""How one server of the lab is started: the same for each kind.

Raises :class:`~incorta_provider.exceptions.PreconditionError` for a port that is taken, and
:class:`~incorta_provider.exceptions.ConfigurationError`, with the end of the log, for a server that does not come up.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from incorta_provider.exceptions import ConfigurationError, PreconditionError
from lab.files import last_lines
from lab.supervisor import Supervisor

PORT_SECONDS = 3.0


class Server(Protocol):
    """One server of one site."""

    @property
    def name(self) -> str:
        """Return the name that the supervisor and every message use."""

    @property
    def site_name(self) -> str:
        """Return the site that the server is lost with."""

    @property
    def ports(self) -> Sequence[int]:
        """Return the ports that it listens at."""

    @property
    def log(self) -> Path:
        """Return its log."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Return what is added to its environment."""

    def prepare(self) -> None:
        """Make what the server needs before its start; safe to repeat, also after a kill half way."""

    def command(self) -> Sequence[str]:
        """Return the command that runs in the foreground."""

    def not_ready(self) -> str:
        """Return why the server cannot be used yet; empty when it can."""


def start_all(servers: Iterable[Server], supervisor: Supervisor, *, seconds: float = 180) -> None:
    """Start servers in parallel and return when each is ready; those which run already stay as they are.

    :param seconds: how long each may take.
    """
    members = list(servers)
    with ThreadPoolExecutor(max_workers=max(1, len(members))) as pool:
        waiting = [pool.submit(start, server, supervisor, seconds=seconds) for server in members]
    for result in waiting:
        result.result()


def start(server: Server, supervisor: Supervisor, *, seconds: float = 180) -> None:
    """Start one server and wait until it is ready.

    :raises PreconditionError: one of its ports is taken.
    :raises ConfigurationError: it ended, or was not ready in time.
    """
    if not supervisor.alive(server.name):
        supervisor.kill(server.name)
        refuse_taken_ports(server)
        server.prepare()
        supervisor.start(
            server.name,
            server.command(),
            log=server.log,
            site=server.site_name,
            env=server.environment,
        )
    _wait_until_ready(server, supervisor, seconds)


def refuse_taken_ports(server: Server) -> None:
    """Refuse to start when something else listens at a port of the server.

    :raises PreconditionError: names the port and the server.
    """
    for port in server.ports:
        if not _becomes_free(port):
            raise PreconditionError(
                f"port {port} of {server.name} is taken by another program",
                where=f"127.0.0.1:{port}",
                fix=f"Stop it (`ss -ltnp 'sport = :{port}'` shows it), or choose other ports with --base.",
            )


def _becomes_free(port: int) -> bool:
    """Tell whether a port is free, or soon: a process that was killed may be gone a moment before its port is."""
    deadline = time.monotonic() + PORT_SECONDS
    while not port_is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def port_is_free(port: int) -> bool:
    """Return whether a server could listen at the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _wait_until_ready(server: Server, supervisor: Supervisor, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    pause = 0.05
    while reason := server.not_ready():
        if not supervisor.alive(server.name):
            reason = "it ended"
        elif time.monotonic() < deadline:
            time.sleep(pause)
            pause = min(1.2 * pause, 0.5)  # Airflow takes long, and each question costs it a part of a second
            continue
        raise ConfigurationError(
            f"{server.name} did not start: {reason}. The end of its log:\n{last_lines(server.log)}\n",
            where=str(server.log),
            fix="Correct what the log names and run the same command again.",
        )
