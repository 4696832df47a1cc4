"""Brings the lab's Airflow up and down.

Both may be repeated, also after a run that was killed half way: a database that was not finished is made anew.

Raises :class:`~incorta_provider.exceptions.ConfigurationError` with the name of what did not start and the end of its
log.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from incorta_provider.exceptions import ConfigurationError
from lab.airflow.processes import airflow_command, api_server, workers
from lab.airflow.settings import Settings
from lab.files import last_lines, write
from lab.servers.server import start, start_all
from lab.supervisor import Supervisor, marked_environment

Progress = Callable[[str], None]
"""Takes one line about what happens."""

START_SECONDS = 300
COMMAND_SECONDS = 300


def prepare(settings: Settings) -> None:
    """Make the accounts, the keys and the database."""
    settings.logs.mkdir(parents=True, exist_ok=True)
    settings.passwords()
    finished = settings.home / "database-made"
    if finished.exists():
        return
    settings.database.unlink(missing_ok=True)
    run_command(settings, "db", "migrate")
    write(finished, "")


def up(settings: Settings, progress: Progress) -> None:
    """Start the four processes, with the lab's connections in the database, and wait until each is ready."""
    progress("making Airflow's database")
    prepare(settings)
    progress("importing the connections")
    run_command(settings, "connections", "import", "--overwrite", str(settings.lab.connections_file))
    supervisor = Supervisor(settings.lab)
    progress("starting the API server")
    start(api_server(settings), supervisor, seconds=START_SECONDS)
    progress("starting scheduler, DAG processor and triggerer")
    start_all(workers(settings), supervisor, seconds=START_SECONDS)


def down(settings: Settings) -> None:
    """End the four processes; database and logs stay."""
    supervisor = Supervisor(settings.lab)
    for process in (*reversed(workers(settings)), api_server(settings)):
        supervisor.stop(process.name)


def run_command(settings: Settings, *arguments: str) -> None:
    """Run one command of Airflow to its end.

    :raises ConfigurationError: it failed or took too long; with the end of what it said.
    """
    log = settings.logs / f"airflow-{'-'.join(arguments[:2])}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = marked_environment(settings.lab, "", log.stem, settings.environment())
    with log.open("wb") as output:
        try:
            done = subprocess.run(
                airflow_command(settings, *arguments),
                env=environment,
                cwd=settings.home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=COMMAND_SECONDS,
                check=False,
            )
            outcome = f"status {done.returncode}" if done.returncode else ""
        except subprocess.TimeoutExpired:
            outcome = f"no end within {COMMAND_SECONDS} s"
    if outcome:
        raise ConfigurationError(
            f"`airflow {' '.join(arguments[:2])}` failed: {outcome}. The end of its log:\n{last_lines(log)}\n",
            where=str(log),
            fix="Correct what the log names and run the same command again.",
        )
