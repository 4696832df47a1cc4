"""One real Airflow for the session, with DAGs that need no site."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.airflow import runner
from lab.airflow.client import AirflowClient
from lab.airflow.settings import APPROVER, REQUESTER, Settings
from lab.layout import Lab

DAGS = Path(__file__).parent / "dags"


@pytest.fixture(scope="session")
def airflow(lab_layout: Lab) -> Iterator[Settings]:
    """Run the four processes for the session."""
    node = {"conn_type": "incorta_node", "host": "127.0.0.1", "port": 22, "login": "lab", "extra": "{}"}
    lab_layout.connections_file.touch(mode=0o600)
    lab_layout.connections_file.write_text(json.dumps({"some_node": node}), encoding="utf-8")
    settings = Settings(lab_layout, DAGS)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AIRFLOW__CORE__DAGS_FOLDER", os.devnull)
        environment.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
        environment.setenv("AIRFLOW_CONN_SOME_NODE", "mysql://the.users.own")
        runner.up(settings, lambda _: None)
    yield settings
    runner.down(settings)


@pytest.fixture
def requester(airflow: Settings) -> Iterator[AirflowClient]:
    """Return the session of the one who triggers."""
    with AirflowClient(airflow.url, REQUESTER, airflow.passwords()[REQUESTER]) as client:
        yield client


@pytest.fixture
def approver(airflow: Settings) -> Iterator[AirflowClient]:
    """Return the session of the one who approves."""
    with AirflowClient(airflow.url, APPROVER, airflow.passwords()[APPROVER]) as client:
        yield client
