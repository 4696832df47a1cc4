"""Airflow with Celery: two workers that share nothing but what is mounted at both, which is the sites' storage.

Each worker has a host name of its own (a UTS namespace, see :manpage:`unshare(1)`), and its own Airflow home, folder of
logs, temporary folder and working folder. Airflow's database is SQLite, as without Celery: workers of Airflow 3 do not
reach it, so these are not told where it is. (MariaDB would not do: it has no DELETE behind a WITH, which the scheduler
uses for MySQL.)
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.airflow import runner
from lab.airflow.processes import airflow_command
from lab.airflow.runner import Progress
from lab.airflow.settings import Settings
from lab.servers.redis import RedisBroker
from lab.servers.server import start, start_all
from lab.supervisor import Supervisor

WORKERS = ("worker-1", "worker-2")


@dataclass(frozen=True, slots=True)
class CelerySettings(Settings):
    """The Airflow of one lab, with workers of their own."""

    def environment(self) -> dict[str, str]:
        """Return what every process of this Airflow but a worker needs in its environment."""
        broker = RedisBroker(self.lab)
        options = {
            "CORE__EXECUTOR": "CeleryExecutor",
            "CELERY__BROKER_URL": f"{broker.url}/0",
            "CELERY__RESULT_BACKEND": f"{broker.url}/1",
            "CELERY__WORKER_CONCURRENCY": "1",
            "CELERY__WORKER_PREFETCH_MULTIPLIER": "1",
        }
        inherited = super(CelerySettings, self).environment()
        return {**inherited, **{f"AIRFLOW__{name}": value for name, value in options.items()}}


@dataclass(frozen=True, slots=True)
class CeleryWorker:
    """One worker; see :class:`lab.servers.server.Server`.

    :param name: also its host name.
    """

    settings: CelerySettings
    name: str

    site_name = ""
    ports = ()

    @property
    def folder(self) -> Path:
        """Return the folder of everything that is its own."""
        return self.settings.lab.worker(self.name)

    @property
    def log(self) -> Path:
        """Return its log."""
        return self.folder / "log"

    @property
    def environment(self) -> Mapping[str, str]:
        """Return what is added to its environment; the address of Airflow's database is not."""
        found = self.settings.environment()
        found["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{self.folder}/none.db"
        found["AIRFLOW__LOGGING__BASE_LOG_FOLDER"] = str(self.folder / "logs")
        return {**found, "AIRFLOW_HOME": str(self.folder / "home"), "TMPDIR": str(self.folder / "tmp")}

    def prepare(self) -> None:
        """Make its folders."""
        for part in ("home", "logs", "tmp", "work"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        self.log.unlink(missing_ok=True)

    def command(self) -> Sequence[str]:
        """Return the command that runs in the foreground, under a host name of its own."""
        own_name = ["unshare", "--uts", *(["--map-root-user"] if os.geteuid() else [])]
        under_it = ["sh", "-c", 'hostname "$0" && exec "$@"', self.name, "env", f"--chdir={self.folder / 'work'}"]
        worker = airflow_command(self.settings, "celery", "worker", "--skip-serve-logs", "--without-mingle")
        return [*own_name, *under_it, *worker]

    def not_ready(self) -> str:
        """Return why it takes no tasks yet, by its own log."""
        try:
            said = self.log.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return "it is not started"
        return "" if f"celery@{self.name} ready" in said else "it has not said that it is ready"


def up(settings: CelerySettings, progress: Progress) -> None:
    """Start broker, Airflow and both workers, and wait until each is ready; the sites' servers run already."""
    supervisor = Supervisor(settings.lab)
    start(RedisBroker(settings.lab), supervisor)
    runner.up(settings, progress)
    progress("starting its workers")
    start_all([CeleryWorker(settings, name) for name in WORKERS], supervisor, seconds=runner.START_SECONDS)
