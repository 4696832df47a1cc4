"""A real Airflow with two Celery workers: how it is started, what two people can do, and a large copy.

The workers share nothing but the catalog and the storage it is made of.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from incorta_provider.dr.manifest import Kind
from incorta_provider.exceptions import ConfigurationError, PreconditionError, TransientError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.manifest.manifest_file import read_manifest
from incorta_provider.storage.records.ledger_file import LedgerFile
from lab.airflow import runner
from lab.airflow.celery import WORKERS, CelerySettings, CeleryWorker
from lab.airflow.client import ENDED, AirflowClient, Question
from lab.airflow.health import Part
from lab.airflow.processes import AirflowProcess, api_server, workers
from lab.airflow.settings import REQUESTER, Settings
from lab.demo.failure import explain
from lab.demo.replication import DAG_ID
from lab.layout import DR, PRIMARY, Lab
from lab.servers.server import start
from lab.supervisor import Supervisor
from tests.builders.storage import snapshot
from tests.integration.airflow.conftest import FILES

pytestmark = [pytest.mark.lab, pytest.mark.airflow, pytest.mark.scenario, pytest.mark.timeout(900)]

RUN_SECONDS = 500
GATE = "gate"
PROGRESS = re.compile(
    r"copied \d+ of 20 files, [0-9.]+ k?B of 60\.0 kB \(\d+%\); [0-9.]+ k?B/s, \d+ files/s; \d+:\d\d left"
)

T = TypeVar("T")


def asked(client: AirflowClient, run_id: str) -> Question:
    """Return what the run's gate asks, once it does."""
    (question, *_) = answered(client, run_id, lambda: client.questions(GATE, run_id))
    return question


def ended(client: AirflowClient, run_id: str) -> str:
    """Return the state in which the run ended."""
    return answered(client, run_id, lambda: state if (state := client.run_state(GATE, run_id)) in ENDED else "")


def answered(client: AirflowClient, run_id: str, ask: Callable[[], T]) -> T:
    """Ask until there is something; on a machine under load Airflow may not answer each time."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        with suppress(TransientError):
            if found := ask():
                return found
        time.sleep(0.3)
    pytest.fail(f"nothing came of it within 240 s: {client.tasks(GATE, run_id)}")


def insist(say: Callable[[], object]) -> None:
    """Say it until it is refused; on a machine under load Airflow may not answer, and the client says it again then."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        with suppress(TransientError):
            say()
        time.sleep(0.3)


def gather_logs(airflow: CelerySettings) -> None:
    """Put the workers' logs where the API server looks for them; workers share no folder with it."""
    for name in WORKERS:
        shutil.copytree(CeleryWorker(airflow, name).folder / "logs", airflow.logs, dirs_exist_ok=True)


def test_one_requests_and_the_other_approves(
    airflow: CelerySettings, requester: AirflowClient, approver: AirflowClient
) -> None:
    requester.wait_until_parsed(GATE)
    requester.unpause(GATE)
    conf = {"confirmation": "PROMOTE"}
    run_id = requester.trigger(GATE, conf, note="a test")
    again = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
    with pytest.raises(PreconditionError, match="409"):  # so a client that heard nothing may say it twice
        insist(lambda: requester._call("POST", f"/dags/{GATE}/dagRuns", json=again))
    question = asked(approver, run_id)
    assert (question.subject, question.body, question.options) == ("May it?", "**The plan**", ("Approve", "Reject"))
    approver.answer(GATE, run_id, question, "Approve")
    with pytest.raises(PreconditionError, match="409"):
        insist(lambda: approver.answer(GATE, run_id, question, "Reject"))
    assert ended(approver, run_id) == "success"
    assert requester.xcom(GATE, run_id, "requested_by") == "operator"
    assert requester.xcom(GATE, run_id, "approve")["responded_by_user"]["name"] == "approver"
    assert requester.xcom(GATE, run_id, "act") == "acted"
    states = {task.task_id: task for task in requester.tasks(GATE, run_id)}
    assert {task.state for task in states.values()} == {"success"}
    gather_logs(airflow)
    assert any("acted" in line for line in requester.log(GATE, run_id, states["act"]))
    assert requester.runs(GATE)[run_id] == "success"


def test_a_database_that_another_process_writes_to_is_waited_for(
    airflow: CelerySettings, requester: AirflowClient
) -> None:
    """SQLite has one writer, and gives the others five seconds unless it is told another number."""
    requester.wait_until_parsed(GATE)
    said: list[int] = []
    requester._http.event_hooks["response"] = [lambda answer: said.append(answer.status_code)]
    with closing(sqlite3.connect(airflow.database, timeout=60, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = threading.Timer(7, other.rollback)
        done.start()
        requester.unpause(GATE)
        done.join()
    assert said == [200]


def test_a_form_that_is_not_filled_in_is_refused_before_a_run_begins(requester: AirflowClient) -> None:
    requester.wait_until_parsed(GATE)
    before = requester.runs(GATE)
    for conf in ({}, {"confirmation": "yes"}):
        with pytest.raises(PreconditionError, match="400"):
            requester.trigger(GATE, conf)
    assert requester.runs(GATE) == before


def test_a_wrong_password_opens_nothing(airflow: CelerySettings) -> None:
    with pytest.raises(PreconditionError, match="401"), AirflowClient(airflow.url, "operator", "guess"):
        pass


def test_a_missing_dag_is_named(requester: AirflowClient) -> None:
    with pytest.raises(PreconditionError, match="does not know no_such_dag: no import error is reported"):
        requester.wait_until_parsed("no_such_dag", seconds=0)


def test_all_four_run_and_answer(airflow: CelerySettings) -> None:
    supervisor = Supervisor(airflow.lab)
    for process in (api_server(airflow), *workers(airflow)):
        assert supervisor.alive(process.name), process.name
        assert process.not_ready() == "", process.name


def test_to_start_again_changes_nothing(airflow: CelerySettings) -> None:
    supervisor = Supervisor(airflow.lab)
    names = [process.name for process in (api_server(airflow), *workers(airflow))]
    before = [supervisor.get(name) for name in names]
    runner.up(airflow, lambda _: None)
    assert [supervisor.get(name) for name in names] == before


def test_a_taken_port_is_named(airflow: CelerySettings, tmp_path: Path) -> None:
    other = Settings(Lab(tmp_path, airflow.lab.base), airflow.dags)
    with pytest.raises(PreconditionError, match=f"port {airflow.port} of airflow-api-server is taken"):
        start(api_server(other), Supervisor(other.lab))


class Broken(AirflowProcess):
    """Says why, and ends."""

    def command(self) -> list[str]:
        return ["sh", "-c", "echo no such option; exit 1"]


def test_a_process_that_ends_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base = free.getsockname()[1] - 200
    broken = Broken(Settings(Lab(tmp_path, base)), ("api-server",), Part.API_SERVER)
    with pytest.raises(ConfigurationError, match="airflow-api-server did not start: it ended") as caught:
        start(broken, Supervisor(broken.settings.lab))
    assert "no such option" in caught.value.what


def test_a_database_that_was_cut_off_is_made_anew(airflow: CelerySettings) -> None:
    with airflow.database.open("rb") as database:
        assert database.read(16) == b"SQLite format 3\x00"


@dataclass(frozen=True)
class Story:
    """What a run on two workers left.

    :ivar states: of its tasks, with the map index of a shard.
    :ivar shard_logs: the lines that the tasks of all shards logged.
    """

    lab: Lab
    state: str
    shards: Any
    states: dict[tuple[str, int], str | None]
    why: str
    shard_logs: list[str]


def ended_replication(client: AirflowClient) -> tuple[str, str]:
    """Wait for the one run that the schedule makes, and return its id and how it ended, or how far it came."""
    found = ("", "")
    deadline = time.monotonic() + RUN_SECONDS
    while found[1] not in ENDED and time.monotonic() < deadline:
        time.sleep(0.5)
        with suppress(TransientError):  # a machine under load
            found = next(iter(client.runs(DAG_ID).items()), found)
    return found


@pytest.fixture(scope="module")
def story(airflow: CelerySettings) -> Story:
    """Let the replication DAG run once, to its end."""
    with AirflowClient(airflow.url, REQUESTER, airflow.passwords()[REQUESTER]) as client:
        client.wait_until_parsed(DAG_ID)
        client.unpause(DAG_ID)
        run, state = ended_replication(client)
        tasks = list(client.tasks(DAG_ID, run))
        states = {(task.task_id, task.map_index): task.state for task in tasks}
        why = "" if state == "success" else explain(client, DAG_ID, run)
        gather_logs(airflow)
        shards = [task for task in tasks if task.task_id == "copy_shard"]
        lines = [line for task in shards for line in client.log(DAG_ID, run, task)]
        return Story(airflow.lab, state, client.xcom(DAG_ID, run, "pre_copy"), states, why, lines)


def shard_notes(lab: Lab) -> list[dict[str, Any]]:
    ledger = LedgerFile(lab.site(DR).catalog / "ledger.jsonl")
    return [dict(line.details) for line in ledger.recent(100) if line.event == "shard.copied"]


def test_the_copy_is_split_into_mapped_tasks_that_are_told_numbers_only(story: Story) -> None:
    assert story.state == "success", story.why
    assert story.shards == [0, 1, 2]
    assert {index: state for (task, index), state in story.states.items() if task == "copy_shard"} == dict.fromkeys(
        range(3), "success"
    )


def test_both_workers_copied_shards_and_no_file_was_copied_twice(story: Story) -> None:
    notes = shard_notes(story.lab)
    assert sorted(note["shard"] for note in notes) == [0, 1, 2]
    assert {note["host"] for note in notes} == set(WORKERS)
    assert sum(note["copied_files"] for note in notes) == len(FILES)
    assert sum(note["copied_bytes"] for note in notes) == sum(map(len, FILES.values()))
    assert [note["missed"] for note in notes] == [0] * 3


def test_a_task_says_in_its_log_how_far_it_is_how_fast_and_for_how_long_still(story: Story) -> None:
    told = [line for line in story.shard_logs if PROGRESS.fullmatch(line)]
    assert told, story.shard_logs


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


def test_the_workers_share_no_folder_and_keep_no_data(airflow: CelerySettings, story: Story) -> None:
    workers = [CeleryWorker(airflow, name) for name in WORKERS]
    for key in ("AIRFLOW_HOME", "TMPDIR", "AIRFLOW__LOGGING__BASE_LOG_FOLDER", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"):
        assert len({worker.environment[key] for worker in workers}) == 2
    kept = [name for worker in workers for _, _, names in os.walk(worker.folder) for name in names if "part-" in name]
    assert kept == []
