from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from incorta_provider.exceptions import ConfigurationError, PreconditionError
from lab.airflow import runner
from lab.airflow.processes import api_server, workers
from lab.airflow.settings import Settings
from lab.layout import Lab
from lab.servers.server import start
from lab.supervisor import Supervisor

pytestmark = [pytest.mark.lab, pytest.mark.airflow]


def test_all_four_run_and_answer(airflow: Settings) -> None:
    supervisor = Supervisor(airflow.lab)
    for process in (api_server(airflow), *workers(airflow)):
        assert supervisor.alive(process.name), process.name
        assert process.not_ready() == "", process.name


def test_to_start_again_changes_nothing(airflow: Settings) -> None:
    supervisor = Supervisor(airflow.lab)
    names = [process.name for process in (api_server(airflow), *workers(airflow))]
    before = [supervisor.get(name) for name in names]
    runner.up(airflow, lambda _: None)
    assert [supervisor.get(name) for name in names] == before


def test_a_taken_port_is_named(airflow: Settings, tmp_path: Path) -> None:
    other = Settings(Lab(tmp_path, airflow.lab.base), airflow.dags)
    with pytest.raises(PreconditionError, match=f"port {airflow.port} of airflow-api-server is taken"):
        start(api_server(other), Supervisor(other.lab))


def test_a_process_that_ends_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base = free.getsockname()[1] - 200
    broken = replace(api_server(Settings(Lab(tmp_path, base))), arguments=("config", "get-value", "no", "such_option"))
    with pytest.raises(ConfigurationError, match="airflow-config did not start: it ended") as caught:
        start(broken, Supervisor(broken.settings.lab))
    assert "such_option" in caught.value.what


def test_a_command_that_fails_is_told_with_the_end_of_its_log(airflow: Settings) -> None:
    with pytest.raises(ConfigurationError, match="`airflow connections import` failed: status 1") as caught:
        runner.run_command(airflow, "connections", "import", "/no/such/file.json")
    assert "Missing connections file" in caught.value.what


def test_a_database_that_was_cut_off_is_made_anew(tmp_path: Path) -> None:
    settings = Settings(Lab(tmp_path, 20000))
    settings.home.mkdir(parents=True)
    settings.database.write_bytes(b"half a database")
    runner.prepare(settings)
    made = settings.database.read_bytes()[:16]
    assert made == b"SQLite format 3\x00"
    runner.prepare(settings)
