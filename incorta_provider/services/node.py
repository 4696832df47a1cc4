"""One Incorta node: its release, and its documented scripts, run over SSH.

The exit status 0 of a script is no proof that anything runs; who starts something polls it afterwards
(:mod:`incorta_provider.services.readiness`). That something is stopped, though, is proven here: its port is closed.
"Runs already" and "stopped already" are a pass.

:raises TransientError: the node cannot be reached, a script failed, or what was stopped still listens.
:raises ConfigurationError: the login or the Incorta home in the connection is wrong.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from incorta_provider.connection import ConnectionInfo, parse_port
from incorta_provider.exceptions import ConfigurationError, TransientError
from incorta_provider.services.ports import Port, probe
from incorta_provider.services.remote_job import run_once
from incorta_provider.ssh.shell import Completed, NodeShell

log = logging.getLogger(__name__)

SCRIPT_TIMEOUT = 180.0
STOP_TIMEOUT = 120.0
"""Seconds until a port must be closed after its stop script ended."""

_POLL = 0.25
_NOT_FOUND = frozenset({126, 127})
"""What a shell returns for a script that is absent or not executable (POSIX 2.8.2)."""

AGENT, CMC, LOADER, ANALYTICS, SPARK = "agent", "cmc", "loader", "analytics", "spark"
DEFAULT_PORTS = {AGENT: 4500, CMC: 6060, LOADER: 8081, ANALYTICS: 8080, SPARK: 7077}
"""Ports of an installation that nobody changed (Incorta's documentation)."""


def node_port(info: ConnectionInfo, part: str) -> int:
    """Return the port of the agent, the CMC, the Loader, Analytics or Spark's master, from the extra ``<part>_port``.

    :raises ConfigurationError: the extra is no port.
    """
    return parse_port(info.conn_id, info.extra.get(f"{part}_port")) or DEFAULT_PORTS[part]


def part_of(service: str) -> str | None:
    """Return what kind of service a name stands for; None for a kind that has no port of its own.

    >>> part_of("loaderService")
    'loader'
    """
    return next((part for part in (LOADER, ANALYTICS) if part in service.lower()), None)


Login = Callable[[ConnectionInfo], AbstractContextManager[NodeShell]]
"""Lends a shell at a node, logged in."""


class IncortaNode:
    """A login at a node; a context manager.

    :param info: an ``incorta_node`` connection; its extra ``home`` holds ``IncortaNode/`` and, where it is installed,
        ``cmc/``.
    :param run_id: on whose behalf scripts run. The same run, asking again after a lost connection, learns the result
        of the script that it started; see :mod:`incorta_provider.services.remote_job`.
    :param login: how to log in; None for a login of its own.
    """

    def __init__(self, info: ConnectionInfo, run_id: str | None = None, *, login: Login | None = None) -> None:
        home = str(info.extra.get("home") or "").rstrip("/")
        if not home.startswith("/"):
            raise ConfigurationError(
                "no Incorta home is set",
                where=f"connection {info.conn_id}",
                fix="Set home in its extra field to the absolute path that holds IncortaNode/.",
            )
        self._info = info
        self._home = home
        self._key = run_id or uuid.uuid4().hex
        self._shell = NodeShell(info)
        self._login = login(info) if login else self._shell

    @classmethod
    def from_connection(cls, info: ConnectionInfo, run_id: str | None = None, *, login: Login | None = None) -> Self:
        """Return the node that a connection describes."""
        return cls(info, run_id, login=login)

    def __enter__(self) -> Self:
        self._shell = self._login.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._login.__exit__(kind, error, trace)

    def version(self) -> str:
        """Return the release, from ``IncortaNode/version.txt``."""
        version = self._read("IncortaNode/version.txt").strip()
        if not version:
            raise self._wrong_home("IncortaNode/version.txt is empty")
        return version

    def services(self) -> dict[str, str]:
        """Return the GUID of each service by its name, from ``IncortaNode/services/services.index``."""
        lines = self._read("IncortaNode/services/services.index").splitlines()
        pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
        return {name.strip(): guid.strip() for name, _, guid in pairs}

    def start_node(self) -> None:
        """Start the node agent."""
        self._start(AGENT, "IncortaNode/startNode.sh")

    def stop_node(self) -> None:
        """Stop the node agent."""
        self._stop(AGENT, "IncortaNode/stopNode.sh")

    def start_spark(self) -> None:
        """Start the Spark that Incorta brings."""
        self._start(SPARK, "IncortaNode/startSpark.sh")

    def stop_spark(self) -> None:
        """Stop it."""
        self._stop(SPARK, "IncortaNode/stopSpark.sh")

    def start_cmc(self) -> None:
        """Start the Cluster Management Console."""
        self._start(CMC, "cmc/start-cmc.sh")

    def stop_cmc(self) -> None:
        """Stop the Cluster Management Console."""
        self._stop(CMC, "cmc/stop-cmc.sh")

    def start_service(self, name: str) -> None:
        """Start a service, for example ``loaderService``."""
        self._start(part_of(name), "IncortaNode/startService.sh", name)

    def stop_service(self, name: str) -> None:
        """Stop a service."""
        self._stop(part_of(name), "IncortaNode/stopService.sh", name)

    def service_log(self, name: str, lines: int = 40) -> str:
        """Return the end of the service's newest log file; empty when it has none."""
        folder = f"{self._home}/IncortaNode/services/{self.services().get(name, name)}/logs"
        listing = self._shell.run(["find", folder, "-type", "f", "-printf", r"%T@ %p\0"])
        found = [entry.partition(" ") for entry in listing.stdout.split("\0") if entry]
        if not found:
            return ""
        newest = max(found, key=lambda entry: float(entry[0]))[2]
        return self._shell.run(["tail", "-n", str(lines), "--", newest]).stdout

    def _start(self, part: str | None, script: str, *args: str) -> None:
        done = self._run(script, *args)
        log.info("%s: %s ended with exit status %d", self._info.conn_id, " ".join((script, *args)), done.status)
        if done.status == 0:
            return
        if self._probe(part) is Port.OPEN:
            log.info("%s: %s runs already", self._info.conn_id, part)
            return
        raise self._failed(done, script, *args)

    def _stop(self, part: str | None, script: str, *args: str) -> None:
        done = self._run(script, *args)
        deadline = time.monotonic() + STOP_TIMEOUT
        while (state := self._probe(part)) is Port.OPEN:
            if time.monotonic() > deadline:
                raise TransientError(
                    f"{part} still listens {STOP_TIMEOUT:g} s after {script}",
                    where=f"connection {self._info.conn_id}",
                    fix="Stop it at the node by hand, then clear this task.",
                )
            time.sleep(_POLL)
        if done.status != 0 and state is not Port.CLOSED:
            raise self._failed(done, script, *args)
        if part is not None and state is not Port.CLOSED:
            raise TransientError(
                f"{part} is not proven to be stopped after {script}: its port neither answers nor refuses",
                where=f"connection {self._info.conn_id}",
                fix="Let the worker reach that port, or look at the node, then clear this task.",
            )
        log.info("%s: %s is stopped", self._info.conn_id, " ".join((script, *args)))

    def _probe(self, part: str | None) -> Port:
        return Port.UNKNOWN if part is None else probe(self._info.host, node_port(self._info, part))[0]

    def _run(self, script: str, *args: str) -> Completed:
        folder = "/".join((self._home, ".incorta_dr", "-".join((script.rpartition("/")[2], *args)).replace("/", "_")))
        done = run_once(self._shell, folder, self._key, [f"{self._home}/{script}", *args], SCRIPT_TIMEOUT)
        if done.status in _NOT_FOUND:
            raise self._wrong_home(f"cannot run {script}: {done.stderr.strip()[-300:]}")
        return done

    def _read(self, path: str) -> str:
        done = self._shell.run(["cat", "--", f"{self._home}/{path}"])
        if done.status != 0:
            raise self._wrong_home(done.stderr.strip())
        return done.stdout

    def _failed(self, done: Completed, script: str, *args: str) -> TransientError:
        return TransientError(
            f"{' '.join((script, *args))} ended with exit status {done.status}: "
            f"{(done.stderr or done.stdout).strip()[-500:]}",
            where=f"connection {self._info.conn_id}",
            fix="Look at its logs at the node.",
        )

    def _wrong_home(self, detail: str) -> ConfigurationError:
        return ConfigurationError(
            f"this is no Incorta home: {detail}",
            where=f"connection {self._info.conn_id}: {self._home}",
            fix="Correct home in its extra field, and let the connection's account read it.",
        )
