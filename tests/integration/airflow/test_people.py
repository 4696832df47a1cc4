"""What two people can do through the REST API, and that the provider shows in it."""

from __future__ import annotations

import time

import pytest

from incorta_provider.exceptions import PreconditionError
from lab.airflow.client import ENDED, AirflowClient, Question
from lab.airflow.settings import Settings

pytestmark = [pytest.mark.lab, pytest.mark.airflow]

GATE = "gate"


def asked(client: AirflowClient, run_id: str) -> Question:
    """Return what the run's gate asks, once it does."""
    deadline = time.monotonic() + 90
    while not (questions := client.questions(GATE, run_id)):
        assert time.monotonic() < deadline, client.tasks(GATE, run_id)
        time.sleep(0.3)
    return questions[0]


def ended(client: AirflowClient, run_id: str) -> str:
    """Return the state in which the run ended."""
    deadline = time.monotonic() + 90
    while (state := client.run_state(GATE, run_id)) not in ENDED:
        assert time.monotonic() < deadline, client.tasks(GATE, run_id)
        time.sleep(0.3)
    return state


def test_one_requests_and_the_other_approves(requester: AirflowClient, approver: AirflowClient) -> None:
    requester.wait_until_parsed(GATE)
    requester.unpause(GATE)
    run_id = requester.trigger(GATE, {"confirmation": "PROMOTE"}, note="a test")
    question = asked(approver, run_id)
    assert (question.subject, question.body, question.options) == ("May it?", "**The plan**", ("Approve", "Reject"))
    approver.answer(GATE, run_id, question, "Approve")
    assert ended(approver, run_id) == "success"
    assert requester.xcom(GATE, run_id, "requested_by") == "operator"
    assert requester.xcom(GATE, run_id, "approve")["responded_by_user"]["name"] == "approver"
    assert requester.xcom(GATE, run_id, "act") == "acted"
    states = {task.task_id: task for task in requester.tasks(GATE, run_id)}
    assert {task.state for task in states.values()} == {"success"}
    assert any("acted" in line for line in requester.log(GATE, run_id, states["act"]))
    assert requester.runs(GATE)[run_id] == "success"


def test_a_form_that_is_not_filled_in_is_refused_before_a_run_begins(requester: AirflowClient) -> None:
    requester.wait_until_parsed(GATE)
    before = requester.runs(GATE)
    for conf in ({}, {"confirmation": "yes"}):
        with pytest.raises(PreconditionError, match="400"):
            requester.trigger(GATE, conf)
    assert requester.runs(GATE) == before


def test_a_wrong_password_opens_nothing(airflow: Settings) -> None:
    with pytest.raises(PreconditionError, match="401"), AirflowClient(airflow.url, "operator", "guess"):
        pass


def test_a_missing_dag_is_named(requester: AirflowClient) -> None:
    with pytest.raises(PreconditionError, match="does not know no_such_dag: no import error is reported"):
        requester.wait_until_parsed("no_such_dag", seconds=0)
