"""The broker between Airflow's scheduler and its Celery workers: a private Redis on loopback that keeps nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import redis

from lab.layout import Lab


@dataclass(frozen=True, slots=True)
class RedisBroker:
    """One Redis; see :class:`lab.servers.server.Server`."""

    lab: Lab

    name = "redis"
    site_name = ""

    @property
    def ports(self) -> Sequence[int]:
        """Return the one port."""
        return (self.lab.port("redis"),)

    @property
    def url(self) -> str:
        """Return its address, without the number of a database."""
        return f"redis://127.0.0.1:{self.lab.port('redis')}"

    @property
    def log(self) -> Path:
        """Return its log."""
        return self._folder / "log"

    @property
    def environment(self) -> Mapping[str, str]:
        """Return nothing to add."""
        return {}

    def prepare(self) -> None:
        """Make the folder."""
        self._folder.mkdir(parents=True, exist_ok=True)

    def command(self) -> Sequence[str]:
        """Return the command that runs in the foreground and reads no configuration of the system's."""
        place = ("--port", str(self.ports[0]), "--bind", "127.0.0.1", "--dir", str(self._folder))
        return ("redis-server", *place, "--save", "", "--appendonly", "no")

    def not_ready(self) -> str:
        """Return why it cannot be used yet."""
        try:
            with redis.Redis(host="127.0.0.1", port=self.ports[0], socket_timeout=2) as client:
                client.ping()
        except redis.RedisError as error:
            return str(error)
        return ""

    @property
    def _folder(self) -> Path:
        return self.lab.root / "redis"
