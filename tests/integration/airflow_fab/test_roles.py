"""Who may do what, by the REST API of a real Airflow with FAB: nobody has all that a cutover takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import httpx
import pytest

pytestmark = [pytest.mark.chaos, pytest.mark.lab, pytest.mark.timeout(1800)]

DAG, OTHER = "/api/v2/dags/incorta_dr_cutover__acme", "/api/v2/dags/somebody_elses"
RUN, OTHER_RUN = f"{DAG}/dagRuns/first", f"{OTHER}/dagRuns/first"
GATE = f"{RUN}/taskInstances/approve"
TRIGGER = {"logical_date": None, "conf": {}}
ANSWER = {"chosen_options": ["Approve"], "params_input": {}}
CLEAR = {"dry_run": False, "dag_run_id": "first", "task_ids": ["fence"], "only_failed": False}
XCOM = {"key": "return_value", "value": "forged", "map_index": -1}

YES, NO = 200, 403
BUSY = 500
"""From here on: SQLite has one writer, and Airflow answers so when another one was faster."""

PERSONS = ("vera", "otto", "anna")
TABLE = (
    # what, how, vera (viewer), otto (operator), anna (approver)
    ("look at the cutover", ("GET", DAG, None), YES, YES, YES),
    ("look at its runs", ("GET", f"{DAG}/dagRuns", None), YES, YES, YES),
    ("look at its tasks", ("GET", f"{RUN}/taskInstances", None), YES, YES, YES),
    ("look at the question", ("GET", f"{GATE}/-1/hitlDetails", None), YES, YES, YES),
    ("look at the watcher", ("GET", "/api/v2/dags/incorta_watch__acme", None), YES, YES, YES),
    ("look at another DAG", ("GET", OTHER, None), NO, NO, NO),
    ("trigger another DAG", ("POST", f"{OTHER}/dagRuns", TRIGGER), NO, NO, NO),
    ("answer another DAG's gate", ("PATCH", f"{OTHER_RUN}/taskInstances/approve/-1/hitlDetails", ANSWER), NO, NO, NO),
    ("mark the gate as success", ("PATCH", GATE, {"new_state": "success"}), NO, NO, NO),
    ("forge an XCom", ("POST", f"{GATE}/xcomEntries", XCOM), NO, NO, NO),
    ("clear a task", ("POST", f"{DAG}/clearTaskInstances", CLEAR), NO, NO, NO),
    ("set a run's state", ("PATCH", RUN, {"state": "success"}), NO, NO, NO),
    ("delete a run", ("DELETE", RUN, None), NO, NO, NO),
    ("delete the DAG", ("DELETE", DAG, None), NO, NO, NO),
    ("read connections", ("GET", "/api/v2/connections", None), NO, NO, NO),
    ("read variables", ("GET", "/api/v2/variables", None), NO, NO, NO),
    ("change a pool", ("PATCH", "/api/v2/pools/default_pool", {"pool": "default_pool", "slots": 1}), NO, NO, NO),
    ("pause the cutover", ("PATCH", DAG, {"is_paused": False}), NO, YES, YES),
    ("trigger the cutover", ("POST", f"{DAG}/dagRuns", TRIGGER), NO, YES, NO),
    ("answer the gate", ("PATCH", f"{GATE}/-1/hitlDetails", ANSWER), NO, NO, YES),
)
"""In this order: the answer that counts is the last."""

Ask = Callable[[str, tuple[str, str, object]], int]


@pytest.fixture(scope="module")
def ask(people) -> Iterator[Ask]:
    """Return what asks in the name of a person and returns the status, once both gates have asked."""
    sessions: dict[str, httpx.Client] = {name: people.session(name) for name in (*PERSONS, "ada")}

    def send(name: str, how: tuple[str, str, object]) -> int:
        method, path, body = how
        deadline = time.monotonic() + 120
        while (status := sessions[name].request(method, path, json=body).status_code) >= BUSY:
            assert time.monotonic() < deadline, status
            time.sleep(1)
        return status

    for dag in (DAG, OTHER):
        _wait(lambda dag=dag: send("ada", ("GET", dag, None)) == YES)
        assert send("ada", ("PATCH", dag, {"is_paused": False})) == YES
        assert send("ada", ("POST", f"{dag}/dagRuns", {**TRIGGER, "dag_run_id": "first"})) == YES
    for run in (RUN, OTHER_RUN):
        _wait(lambda run=run: send("ada", ("GET", f"{run}/taskInstances/approve/-1/hitlDetails", None)) == YES)
    time.sleep(6)
    yield send
    for session in sessions.values():
        session.close()


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.5)


@pytest.mark.parametrize(("what", "how", "vera", "otto", "anna"), TABLE, ids=[row[0] for row in TABLE])
def test_who_may(ask: Ask, what: str, how: tuple[str, str, object], vera: int, otto: int, anna: int) -> None:
    assert {name: ask(name, how) for name in PERSONS} == {"vera": vera, "otto": otto, "anna": anna}


def test_what_could_not_be_granted_yet_was_said_and_nothing_else(people) -> None:
    lines = [line for line in people.said.splitlines() if line.startswith("not granted")]
    assert len(lines) == 2
    assert "replication__acme__berlin" in lines[0]
    assert "replication__acme__newyork" in lines[1]
