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
from lab.testbed import borrowed
from tests.builders.lab_state import STATE

DAGS = Path(__file__).parent / "dags"


@pytest.fixture(scope="session")
def airflow_lab() -> Iterator[Lab]:
    """Lend a lab of its own, whose connections are not those of two sites."""
    with borrowed(STATE) as lab:
        yield lab


@pytest.fixture(scope="session")
def airflow(airflow_lab: Lab) -> Iterator[Settings]:
    """Run the four processes for the session."""
    node = {"conn_type": "incorta_node", "host": "127.0.0.1", "port": 22, "login": "lab", "extra": "{}"}
    airflow_lab.connections_file.touch(mode=0o600)
    airflow_lab.connections_file.write_text(json.dumps({"some_node": node}), encoding="utf-8")
    settings = Settings(airflow_lab, DAGS)
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
