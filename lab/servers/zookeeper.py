"""The ZooKeeper ensemble of a site: three members, each a process of its own."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.files import write
from lab.layout import ENSEMBLE, Site

_JARS = ("/usr/share/java/zookeeper.jar", "/usr/share/java/slf4j-simple.jar")
"""Debian's jar names what it needs in its manifest; only a logger has to be added."""
_JVM = (
    "-Xmx96m",
    "-Xms16m",
    "-Xss512k",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Djava.net.preferIPv4Stack=true",
    "-Dzookeeper.forceSync=no",
)
"""A killed process loses nothing that it wrote; only a killed machine would. A disk that others keep busy would hold up
each change for seconds, and with it the pings that sessions live by.
"""
_SERVING = frozenset({"leader", "follower"})


@dataclass(frozen=True, slots=True)
class ZooKeeper:
    """One member of a site's ensemble."""

    site: Site
    member: int

    host = "127.0.0.1"

    @property
    def name(self) -> str:
        """Return the name of the process."""
        return f"{self.site.name}-zookeeper{self.member}"

    @property
    def site_name(self) -> str:
        """Return the name of the site."""
        return self.site.name

    @property
    def port(self) -> int:
        """Return the port for clients."""
        return self.site.port("zookeeper", self.member)

    @property
    def ports(self) -> Sequence[int]:
        """Return the ports for clients, for the quorum and for elections."""
        return (
            self.port,
            self.site.port("zookeeper_quorum", self.member),
            self.site.port("zookeeper_election", self.member),
        )

    @property
    def log(self) -> Path:
        """Return the log."""
        return self._folder / "log"

    @property
    def environment(self) -> Mapping[str, str]:
        """Return the site's clock."""
        return {"TZ": self.site.timezone}

    def prepare(self) -> None:
        """Write the configuration; data of an earlier start stay."""
        data = self._folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        write(data / "myid", f"{self.member}\n")
        write(self._folder / "zoo.cfg", self._configuration())

    def command(self) -> Sequence[str]:
        """Return the command line of the JVM."""
        main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
        return ("java", *_JVM, "-cp", ":".join(_JARS), main, str(self._folder / "zoo.cfg"))

    def not_ready(self) -> str:
        """Return why the member does not serve; ``ruok`` would say yes even without a quorum, so ``srvr`` is asked."""
        try:
            mode = self.mode()
        except OSError as error:
            return str(error)
        return "" if mode in _SERVING else f"no quorum (mode {mode or 'unknown'})"

    def mode(self) -> str:
        """Return what ``srvr`` says: ``leader``, ``follower``, or empty while the member does not serve.

        :raises OSError: nobody listens.
        """
        with socket.create_connection((self.host, self.port), timeout=2) as connection:
            connection.sendall(b"srvr")
            with connection.makefile("rb") as stream:
                answer = stream.read().decode()
        modes = [line.removeprefix("Mode: ") for line in answer.splitlines() if line.startswith("Mode: ")]
        return modes[0] if modes else ""

    @property
    def _folder(self) -> Path:
        return self.site.zookeeper(self.member)

    def _configuration(self) -> str:
        settings = {
            "tickTime": 500,
            "initLimit": 20,
            "syncLimit": 10,
            "dataDir": self._folder / "data",
            "clientPort": self.port,
            "clientPortAddress": self.host,
            "maxSessionTimeout": 60000,
            "maxClientCnxns": 0,
            "4lw.commands.whitelist": "srvr,mntr,ruok,cons,dump",
            "admin.enableServer": "false",
        }
        for member in ENSEMBLE:
            quorum = self.site.port("zookeeper_quorum", member)
            election = self.site.port("zookeeper_election", member)
            settings[f"server.{member}"] = f"{self.host}:{quorum}:{election}"
        return "".join(f"{key}={value}\n" for key, value in settings.items())


@dataclass(frozen=True, slots=True)
class Ensemble:
    """The ensemble of one site."""

    site: Site

    @property
    def hosts(self) -> str:
        """Return the hosts as a ZooKeeper client takes them."""
        return self.site.zookeeper_hosts

    @property
    def members(self) -> tuple[ZooKeeper, ...]:
        """Return the members."""
        return tuple(ZooKeeper(self.site, member) for member in ENSEMBLE)
