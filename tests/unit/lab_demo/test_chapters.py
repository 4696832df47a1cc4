from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.plan import StepName
from incorta_provider.exceptions import PreconditionError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.records.cutover_folder import CutoverFolder
from lab.airflow.client import Question, Task
from lab.demo import comeback, cutover, disaster, drill, replication, watching
from lab.demo.failure import explain
from lab.demo.progress import Progress, wait_until_fine
from lab.layout import GROUP, Lab
from lab.workload.commit_log import CommitLog, Phase

NOW = datetime(2026, 11, 25, tzinfo=UTC)


@dataclass
class ScriptedAirflow:
    """Answers like Airflow, one state of a run after the other.

    :param states: of the run, as it is asked for; the last one stays.
    """

    states: list[str]
    task_states: dict[str, str | None]
    user: str = "approver"
    answers: list[str] = field(default_factory=list)

    def trigger(self, dag_id: str, conf: dict[str, Any], note: str = "") -> str:
        self.conf = conf
        return "run-1"

    def run_state(self, dag_id: str, run_id: str) -> str:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def runs(self, dag_id: str) -> dict[str, str]:
        return {f"run-{number}": state for number, state in enumerate(self.states)}

    def tasks(self, dag_id: str, run_id: str) -> list[Task]:
        return [Task(name, -1, state, 1, 2.0, name) for name, state in self.task_states.items()]

    def questions(self, dag_id: str, run_id: str) -> list[Question]:
        return [Question("approve", -1, "unplanned cutover", "", ("Approve", "Reject"), NOW)]

    def answer(self, dag_id: str, run_id: str, question: Question, option: str) -> None:
        self.answers.append(option)

    def log(self, dag_id: str, run_id: str, task: Task) -> list[str]:
        return [f"line {number}" for number in range(100)] + ["the disk is full"]


@pytest.fixture(autouse=True)
def no_naps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching.time, "sleep", lambda _: None)


def test_a_cutover_is_requested_by_one_and_answered_once_by_the_other() -> None:
    requester = ScriptedAirflow(["running"], {}, user="operator")
    approver = ScriptedAirflow(["running", "running", "running", "success"], {"approve": "awaiting_input"})
    said: list[str] = []
    run_id = cutover.cut_over(requester, approver, Progress(out=said.append))  # type: ignore[arg-type]
    assert run_id == "run-1"
    assert requester.conf["confirmation"] == "PROMOTE newyork"
    assert approver.answers == ["Approve"]
    assert requester.answers == []
    assert any("operator triggered run-1" in line for line in said)


def test_a_cutover_that_fails_shows_the_failed_task_and_the_end_of_its_log() -> None:
    airflow = ScriptedAirflow(["failed"], {"fence": "success", "apply": "failed"})
    with pytest.raises(PreconditionError, match=r"ended as failed\. task apply failed") as caught:
        cutover.cut_over(airflow, airflow, Progress(out=lambda _: None))  # type: ignore[arg-type]
    assert caught.value.what.rstrip().endswith("the disk is full")
    assert "line 50" not in caught.value.what


def test_a_drill_that_proved_nothing_is_told(tmp_path: Path) -> None:
    lab = Lab(tmp_path, 20000)
    catalog = lab.site("newyork").catalog
    catalog.mkdir(parents=True)
    Catalog(catalog).initialise(GROUP, "newyork")
    CutoverFolder(catalog, "run-1").save_report(
        {
            "group": GROUP,
            "run_id": "run-1",
            "mode": "drill",
            "source": "berlin",
            "target": "newyork",
            "recovery_point": "20261125T020304Z-1c0ffee1",
            "requested_by": "operator",
            "reason": drill.REASON,
            "requested_at": NOW.isoformat(),
            "exceptions": ["not done: compare"],
        }
    )
    airflow = ScriptedAirflow(["success"], {"clean_drill": "success"})
    with pytest.raises(PreconditionError, match="proved nothing: not done: compare"):
        drill.try_out(lab, airflow, Progress(out=lambda _: None))  # type: ignore[arg-type]
    assert airflow.conf == {"site": "newyork", "reason": drill.REASON}


def test_an_old_primary_is_waited_for_until_all_of_it_is_fenced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path, 20000)
    catalog = lab.site("newyork").catalog
    catalog.mkdir(parents=True)
    Catalog(catalog).initialise(GROUP, "newyork")
    folder = CutoverFolder(catalog, "run-1")
    folder.record(StepName.FENCE, {"stopped": ["database"], "unfenced": True})
    known = {"stopped": ["database", "epoch registry"], "unfenced": False}
    monkeypatch.setattr(watching.time, "sleep", lambda _: folder.record(StepName.FENCE, known))
    monkeypatch.setattr(comeback, "up", lambda *_: None)
    airflow = ScriptedAirflow(["running"], {})
    fenced = comeback.power_on(lab, "run-1", airflow, Progress(out=lambda _: None))  # type: ignore[arg-type]
    assert fenced == ("database", "epoch registry")


def test_a_run_without_a_failed_task_is_told_as_such() -> None:
    airflow = ScriptedAirflow(["failed"], {"fence": "success"})
    assert explain(airflow, "dag", "run-9") == "run run-9: no task failed"  # type: ignore[arg-type]


def test_replication_that_only_fails_is_not_waited_for(tmp_path: Path) -> None:
    lab = Lab(tmp_path, 20000)
    lab.site("newyork").catalog.mkdir(parents=True)
    Catalog(lab.site("newyork").catalog).initialise(GROUP, "newyork")
    airflow = ScriptedAirflow(["failed", "failed", "failed"], {"open": "failed"})
    with pytest.raises(PreconditionError, match="3 replication runs failed and none sealed a point"):
        replication.wait_for_points(2, lab, airflow, Progress(out=lambda _: None))  # type: ignore[arg-type]


def test_the_site_is_lost_while_a_job_writes_and_not_between_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path, 20000)
    log = CommitLog(lab.workload)
    durations = {1: 0.1, 2: 0.3, 3: 1.0, 4: 1.0}
    coming = [
        (counter + after, phase, counter)
        for counter, seconds in durations.items()
        for after, phase in ((0.0, Phase.LOAD), (seconds, Phase.IDLE))
    ]
    now = 0.0

    def pass_by(seconds: float) -> None:
        nonlocal now
        now += seconds
        while coming and coming[0][0] <= now:
            _, phase, counter = coming.pop(0)
            log.say(phase, counter=counter, site="berlin", at=NOW)

    monkeypatch.setattr(disaster.time, "sleep", pass_by)
    killed: list[str] = []
    monkeypatch.setattr(
        disaster, "kill_site", lambda _, site, __: killed.append(f"{site} {log.state_file.read_text()}")
    )

    lost = disaster.lose_primary(lab, Progress(out=lambda _: None))
    assert lost.counter == 3, "a job that was over before it could be interrupted does not count"
    assert killed[0].startswith("berlin ")
    assert '"phase": "load"' in killed[0]


def test_what_is_never_ready_is_named_with_the_last_reason() -> None:
    with pytest.raises(PreconditionError, match="cmc of berlin is not ready after 0 s: nobody listens"):
        wait_until_fine("cmc of berlin", lambda: "nobody listens", seconds=0)
