from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lab.airflow.processes import airflow_command
from lab.airflow.settings import Settings
from lab.layout import Lab


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(Lab(tmp_path, 20000))


def test_everything_lies_in_the_state_folder_and_on_loopback(settings: Settings) -> None:
    environment = settings.environment()
    root = str(settings.lab.root)
    assert environment["AIRFLOW_HOME"] == f"{root}/airflow"
    assert environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == f"sqlite:///{root}/airflow/airflow.db?timeout=60"
    assert environment["AIRFLOW__LOGGING__BASE_LOG_FOLDER"].startswith(root)
    assert environment["AIRFLOW__INCORTA_DR__TOPOLOGY"] == f"{root}/incorta_dr.yaml"
    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:20200/execution/"


def test_secrets_are_drawn_once_and_readable_only_by_their_owner(settings: Settings) -> None:
    first, again = settings.environment(), settings.environment()
    assert first == again
    assert settings.passwords() == settings.passwords()
    assert len(set(settings.passwords().values())) == 2
    for path in (settings.secrets_file, settings.passwords_file):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_labs_share_no_secret(tmp_path: Path) -> None:
    one, other = (Settings(Lab(tmp_path / name, 20000)).environment() for name in ("one", "other"))
    for key in ("AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API__SECRET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET"):
        assert one[key] != other[key]


def test_the_users_own_airflow_does_not_leak_in(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BERLIN_METADATA", "mysql://elsewhere")
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    command = airflow_command(settings, "version")
    position = command.index("AIRFLOW_CONN_BERLIN_METADATA")
    assert command[position - 1] == "--unset"
    assert "AIRFLOW__CORE__EXECUTOR" not in command
    assert settings.environment()["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
