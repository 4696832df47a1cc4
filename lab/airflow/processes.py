"""The four processes of Airflow, as servers that the lab's supervisor starts and ends."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lab.airflow.health import Part, unhealthy
from lab.airflow.settings import Settings, foreign_variables


@dataclass(frozen=True, slots=True)
class AirflowProcess:
    """One process of Airflow; see :class:`lab.servers.server.Server`.

    :param arguments: what follows ``airflow`` on the command line.
    :param part: how the health page calls it.
    """

    settings: Settings
    arguments: tuple[str, ...]
    part: Part

    @property
    def name(self) -> str:
        """Return the name that the supervisor and every message use."""
        return f"airflow-{self.arguments[0]}"

    @property
    def site_name(self) -> str:
        """Return no site: Airflow outlives both."""
        return ""

    @property
    def ports(self) -> Sequence[int]:
        """Return the port that it listens at."""
        return (self.settings.port,) if self.part is Part.API_SERVER else ()

    @property
    def log(self) -> Path:
        """Return its log."""
        return self.settings.logs / f"{self.arguments[0]}.log"

    @property
    def environment(self) -> Mapping[str, str]:
        """Return what is added to its environment."""
        return self.settings.environment()

    def prepare(self) -> None:
        """Do nothing: the database is made before any of the four starts."""

    def command(self) -> Sequence[str]:
        """Return the command that runs in the foreground."""
        return airflow_command(self.settings, *self.arguments)

    def not_ready(self) -> str:
        """Return why it cannot be used yet; empty when it can."""
        record = self.settings.lab.run / f"{self.name}.json"
        try:
            started = datetime.fromtimestamp(record.stat().st_mtime, tz=UTC)
        except FileNotFoundError:
            return "it is not started"
        return unhealthy(self.settings.url, self.part, since=started)


def api_server(settings: Settings) -> AirflowProcess:
    """Return the process that all others talk to."""
    return AirflowProcess(settings, ("api-server",), Part.API_SERVER)


def workers(settings: Settings) -> tuple[AirflowProcess, ...]:
    """Return the other three.

    Logs are not served over ports of their own: the API server reads them from the same folder.
    """
    return (
        AirflowProcess(settings, ("scheduler", "--skip-serve-logs"), Part.SCHEDULER),
        AirflowProcess(settings, ("dag-processor",), Part.DAG_PROCESSOR),
        AirflowProcess(settings, ("triggerer", "--skip-serve-logs"), Part.TRIGGERER),
    )


def airflow_command(settings: Settings, *arguments: str) -> list[str]:
    """Return a command of this environment's Airflow, kept from the Airflow variables of the user's own environment."""
    unset = [word for name in foreign_variables(settings.environment()) for word in ("--unset", name)]
    return ["env", *unset, sys.executable, "-m", "airflow", *arguments]
