"""One real Airflow for the module that asks for it: with two workers, the replication of two sites, and a small DAG.

Airflow costs processor time as long as it runs, so it does not outlive the module.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lab.airflow import celery
from lab.airflow.celery import CelerySettings
from lab.airflow.client import AirflowClient
from lab.airflow.settings import APPROVER, REQUESTER
from lab.demo.primary import install_primary
from lab.files import write
from lab.layout import GROUP, PRIMARY, Lab
from lab.testbed import borrowed
from lab.topology import topology
from lab.up import up
from tests.builders.lab_state import STATE
from tests.builders.storage import put

DAGS = (Path(__file__).parent / "dags" / "gate.py", Path(__file__).parents[3] / "dags" / "incorta_replication.py")
FILES = {f"source/t{number % 9}/part-{number:03d}": b"%03d" % number * 1000 for number in range(60)}
SHARD_FILES = 20
BANDWIDTH = "12kB"
"""So slow that a shard, of 60 kB, takes longer than the three seconds after which a copy tells how far it is."""

CUT_OFF = b"half a database"
"""What a first `up` left, which was killed while it made Airflow's database."""


@pytest.fixture(scope="module")
def airflow() -> Iterator[CelerySettings]:
    """Run it, whatever Airflow the user has set up, with files at the primary and nothing replicated yet."""
    with borrowed(STATE) as lab, pytest.MonkeyPatch.context() as environment:
        up(lab, lambda _: None)
        document = topology(lab)
        document["groups"][GROUP]["replication"] = {
            "schedule": "@once",
            "shard_files": SHARD_FILES,
            "bandwidth": BANDWIDTH,
        }
        write(lab.topology_file, yaml.safe_dump(document))
        install_primary(lab, lambda _: None)
        put(lab.site(PRIMARY).tenant, FILES)
        settings = CelerySettings(lab, _dags(lab))
        settings.home.mkdir(parents=True)
        settings.database.write_bytes(CUT_OFF)
        environment.setenv("AIRFLOW__CORE__DAGS_FOLDER", os.devnull)
        environment.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor")
        environment.setenv("AIRFLOW_CONN_BERLIN_METADATA", "mysql://the.users.own")
        celery.up(settings, lambda _: None)
        yield settings


def _dags(lab: Lab) -> Path:
    folder = lab.root / "dags"
    folder.mkdir()
    for file in DAGS:
        shutil.copy(file, folder)
    return folder


@pytest.fixture
def requester(airflow: CelerySettings) -> Iterator[AirflowClient]:
    """Return the session of the one who triggers."""
    with AirflowClient(airflow.url, REQUESTER, airflow.passwords()[REQUESTER]) as client:
        yield client


@pytest.fixture
def approver(airflow: CelerySettings) -> Iterator[AirflowClient]:
    """Return the session of the one who approves."""
    with AirflowClient(airflow.url, APPROVER, airflow.passwords()[APPROVER]) as client:
        yield client
