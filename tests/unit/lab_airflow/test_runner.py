from __future__ import annotations

from pathlib import Path

import pytest

from incorta_provider.exceptions import ConfigurationError
from lab.airflow import runner
from lab.airflow.settings import Settings
from lab.layout import Lab


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(Lab(tmp_path, 20000))
    made.home.mkdir()
    return made


def test_a_command_that_fails_is_told_with_the_end_of_its_log(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "airflow_command", lambda _, *words: ["sh", "-c", f"echo no {words[2]} >&2; exit 1"])
    with pytest.raises(ConfigurationError, match="`airflow connections import` failed: status 1") as caught:
        runner.run_command(settings, "connections", "import", "file")
    assert caught.value.what.endswith("The end of its log:\nno file\n")


def test_a_command_that_does_not_end_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "COMMAND_SECONDS", 0.2)
    monkeypatch.setattr(runner, "airflow_command", lambda *_: ["sleep", "60"])
    with pytest.raises(ConfigurationError, match=r"`airflow db migrate` failed: no end within 0\.2 s"):
        runner.run_command(settings, "db", "migrate")
