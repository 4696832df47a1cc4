"""A large copy on two Celery workers that share nothing but the catalog and the storage it is made of."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from incorta_provider.dr.manifest import Kind
from incorta_provider.exceptions import TransientError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.ledger_file import LedgerFile
from incorta_provider.storage.local import LocalTree
from incorta_provider.storage.manifest_file import read_manifest
from lab.airflow import celery
from lab.airflow.celery import WORKERS, CelerySettings, CeleryWorker
from lab.airflow.client import ENDED, AirflowClient
from lab.airflow.settings import REQUESTER
from lab.demo.failure import explain
from lab.demo.primary import install_primary
from lab.demo.replication import DAG_ID
from lab.files import write
from lab.layout import DR, GROUP, PRIMARY, Lab
from lab.testbed import borrowed
from lab.topology import topology
from lab.up import up
from tests.builders.lab_state import STATE
from tests.builders.storage import put, snapshot

pytestmark = [pytest.mark.lab, pytest.mark.airflow, pytest.mark.scenario, pytest.mark.timeout(900)]

FILES = {f"source/t{number % 9}/part-{number:03d}": b"%03d" % number * 1000 for number in range(60)}
SHARD_FILES = 12
RUN_SECONDS = 500


@dataclass(frozen=True)
class Story:
    """What a run on two workers left.

    :ivar states: of its tasks, with the map index of a shard.
    """

    lab: Lab
    state: str
    shards: Any
    states: dict[tuple[str, int], str | None]
    why: str


@pytest.fixture(scope="module")
def two_workers() -> Iterator[CelerySettings]:
    with borrowed(STATE) as lab:
        up(lab, lambda _: None)
        document = topology(lab)
        document["groups"][GROUP]["replication"] = {"schedule": "@once", "shard_files": SHARD_FILES}
        write(lab.topology_file, yaml.safe_dump(document))
        install_primary(lab, lambda _: None)
        put(lab.site(PRIMARY).tenant, FILES)
        settings = CelerySettings(lab)
        celery.up(settings, lambda _: None)
        yield settings


def ended_run(airflow: AirflowClient) -> tuple[str, str]:
    """Wait for the one run that the schedule makes, and return its id and how it ended, or how far it came."""
    found = ("", "")
    deadline = time.monotonic() + RUN_SECONDS
    while found[1] not in ENDED and time.monotonic() < deadline:
        time.sleep(0.5)
        with suppress(TransientError):  # a machine under load
            found = next(iter(airflow.runs(DAG_ID).items()), found)
    return found


@pytest.fixture(scope="module")
def story(two_workers: CelerySettings) -> Story:
    """Let the replication DAG run once, to its end."""
    with AirflowClient(two_workers.url, REQUESTER, two_workers.passwords()[REQUESTER]) as airflow:
        airflow.wait_until_parsed(DAG_ID)
        airflow.unpause(DAG_ID)
        run, state = ended_run(airflow)
        tasks = {(task.task_id, task.map_index): task.state for task in airflow.tasks(DAG_ID, run)}
        why = "" if state == "success" else explain(airflow, DAG_ID, run)
        return Story(two_workers.lab, state, airflow.xcom(DAG_ID, run, "pre_copy"), tasks, why)


def shard_notes(lab: Lab) -> list[dict[str, Any]]:
    ledger = LedgerFile(lab.site(DR).catalog / "ledger.jsonl")
    return [dict(line.details) for line in ledger.recent(100) if line.event == "shard.copied"]


def test_the_copy_is_split_into_mapped_tasks_that_are_told_numbers_only(story: Story) -> None:
    assert story.state == "success", story.why
    assert story.shards == [0, 1, 2, 3, 4]
    assert {index: state for (task, index), state in story.states.items() if task == "copy_shard"} == dict.fromkeys(
        range(5), "success"
    )


def test_both_workers_copied_shards_and_no_file_was_copied_twice(story: Story) -> None:
    notes = shard_notes(story.lab)
    assert sorted(note["shard"] for note in notes) == [0, 1, 2, 3, 4]
    assert {note["host"] for note in notes} == set(WORKERS)
    assert sum(note["copied_files"] for note in notes) == len(FILES)
    assert sum(note["copied_bytes"] for note in notes) == sum(map(len, FILES.values()))
    assert [note["missed"] for note in notes] == [0] * 5


def test_the_sealed_point_and_the_replica_are_the_source(story: Story) -> None:
    (point,) = Catalog(story.lab.site(DR).catalog).points()
    source = LocalTree(story.lab.site(PRIMARY).storage)
    manifest = read_manifest(Catalog(story.lab.site(DR).catalog).manifest_path(point.id))
    assert [(entry.path, entry.kind, entry.size, entry.mtime_ns) for entry in manifest if entry.kind is Kind.FILE] == [
        (entry.path, entry.kind, entry.size, entry.mtime_ns) for entry in source.list() if entry.kind is Kind.FILE
    ]
    assert (point.files, point.bytes) == (len(FILES), sum(map(len, FILES.values())))
    replica = snapshot(story.lab.site(DR).storage)
    assert replica == snapshot(story.lab.site(PRIMARY).storage)


def test_the_workers_share_no_folder_and_keep_no_data(two_workers: CelerySettings, story: Story) -> None:
    workers = [CeleryWorker(two_workers, name) for name in WORKERS]
    for key in ("AIRFLOW_HOME", "TMPDIR", "AIRFLOW__LOGGING__BASE_LOG_FOLDER", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"):
        assert len({worker.environment[key] for worker in workers}) == 2
    kept = [name for worker in workers for _, _, names in os.walk(worker.folder) for name in names if "part-" in name]
    assert kept == []
