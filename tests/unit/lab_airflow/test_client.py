from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from incorta_provider.exceptions import PreconditionError, TransientError
from lab.airflow import client as module
from lab.airflow.client import SECONDS, SETTLE_SECONDS, AirflowClient, Question
from lab.airflow.health import Part
from tests.builders.waiting import WaitingClock

Handler = Callable[[httpx.Request], httpx.Response]


def talking_to(handler: Handler) -> AirflowClient:
    def serve(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/token":
            return httpx.Response(201, json={"access_token": "let-me-in"})
        return handler(request)

    return AirflowClient("http://lab", "operator", "secret", transport=httpx.MockTransport(serve))


@pytest.fixture(autouse=True)
def faults(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is wrong with the scheduler, one after the other; nothing any more after that."""
    coming: list[str] = []

    def fault(url: str, part: Part, *, since: datetime) -> str:
        assert (url, part) == ("http://lab", Part.SCHEDULER)
        assert since.tzinfo is UTC
        return coming.pop(0) if coming else ""

    monkeypatch.setattr(module, "unhealthy", fault)
    return coming


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> WaitingClock:
    made = WaitingClock()
    monkeypatch.setattr(module, "time", made)
    return made


def test_requests_carry_the_token() -> None:
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["Authorization"])
        return httpx.Response(200, json={"state": "running"})

    with talking_to(handler) as client:
        assert client.run_state("dag", "run") == "running"
    assert seen == ["Bearer let-me-in"]


def test_a_refusal_is_told_in_airflows_words() -> None:
    client = talking_to(lambda _: httpx.Response(403, json={"detail": "Forbidden"}))
    with client, pytest.raises(PreconditionError, match="403 Forbidden") as caught:
        client.trigger("dag", {})
    assert caught.value.where == "POST http://lab/api/v2/dags/dag/dagRuns"


def test_a_server_error_may_pass(clock: WaitingClock) -> None:
    client = talking_to(lambda _: httpx.Response(500, text="oops"))
    with client, pytest.raises(TransientError, match="500 oops"):
        client.dag_ids()
    assert clock.now >= 1000 + SECONDS, "it was asked again for a while"


def test_a_page_is_no_answer() -> None:
    page = httpx.Response(200, text="<!doctype html>", headers={"content-type": "text/html"})
    with talking_to(lambda _: page) as client, pytest.raises(PreconditionError, match="a page that is not JSON"):
        client.dag_ids()


def test_silence_is_transient(clock: WaitingClock) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with talking_to(handler) as client, pytest.raises(TransientError, match="does not answer: refused"):
        client.dag_ids()


def test_import_errors_end_the_wait_for_a_dag() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/importErrors"):
            errors = [{"filename": "dags/x.py", "stack_trace": "no topology\n"}]
            return httpx.Response(200, json={"import_errors": errors})
        return httpx.Response(200, json={"dags": [{"dag_id": "known"}]})

    with talking_to(handler) as client:
        client.wait_until_parsed("known")
        with pytest.raises(PreconditionError, match=r"does not know missing: dags/x\.py: no topology"):
            client.wait_until_parsed("known", "missing")


@pytest.mark.parametrize(("age", "waits"), [(0, SETTLE_SECONDS), (SETTLE_SECONDS + 60, 0)])
def test_a_question_stands_for_a_while_before_it_is_answered(
    monkeypatch: pytest.MonkeyPatch, age: float, waits: float
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(module.time, "sleep", waited.append)
    with talking_to(lambda _: httpx.Response(200, json={})) as client:
        asked = datetime.now(UTC) - timedelta(seconds=age)
        question = Question("approve", -1, "ok?", "", ("Approve", "Reject"), asked)
        client.answer("dag", "run", question, "Approve")
    assert waited == [pytest.approx(waits, abs=SETTLE_SECONDS / 2)]


def test_a_scheduler_that_stands_still_is_waited_for(clock: WaitingClock, faults: list[str]) -> None:
    """It has not noticed the question, however long that has stood."""
    faults += ["has not reported", "has not reported"]
    client, told = answering(DONE)
    with client:
        client.answer("dag", "run", old_question(), "Approve")
    assert (len(told), faults, clock.now) == (1, [], 1001.0)


def test_a_scheduler_that_does_not_come_back_is_told(clock: WaitingClock, faults: list[str]) -> None:
    faults += ["scheduler has not reported"] * 1000
    client, told = answering()
    with client, pytest.raises(TransientError, match="noticed the question yet: scheduler has not reported"):
        client.answer("dag", "run", old_question(), "Approve")
    assert told == []


def test_the_password_does_not_show() -> None:
    assert "secret" not in repr(AirflowClient("http://lab", "operator", "secret"))


def answering(*answers: httpx.Response) -> tuple[AirflowClient, list[dict[str, Any]]]:
    """Return a client of an Airflow that gives these answers, and what it is told."""
    left, told = list(answers), list[dict[str, Any]]()

    def handler(request: httpx.Request) -> httpx.Response:
        told.append(json.loads(request.content or b"null"))
        return left.pop(0)

    return talking_to(handler), told


BUSY = httpx.Response(500, text="database is locked")
DONE = httpx.Response(200, json={})
CONFLICT = httpx.Response(409, json={"detail": "it is there already"})


@pytest.mark.usefixtures("clock")
class TestABusyDatabase:
    def test_a_dag_is_unpaused(self) -> None:
        client, told = answering(BUSY, DONE)
        with client:
            client.unpause("dag")
        assert told == [{"is_paused": False}] * 2

    def test_what_is_read_is_read_again(self) -> None:
        client, _ = answering(BUSY, BUSY, httpx.Response(200, json={"state": "running"}))
        with client:
            assert client.run_state("dag", "run") == "running"

    @pytest.mark.parametrize("second", [DONE, CONFLICT])
    def test_one_run_is_started(self, second: httpx.Response) -> None:
        """The first word may have been heard, and only its answer lost."""
        client, told = answering(BUSY, second)
        with client:
            run_id = client.trigger("dag", {"a": 1})
        assert run_id.startswith("manual__")
        assert [said["dag_run_id"] for said in told] == [run_id] * 2

    @pytest.mark.parametrize("second", [DONE, CONFLICT])
    def test_a_question_is_answered(self, second: httpx.Response) -> None:
        client, told = answering(BUSY, second)
        with client:
            client.answer("dag", "run", old_question(), "Approve")
        assert told == [{"chosen_options": ["Approve"], "params_input": {}}] * 2

    def test_what_somebody_else_answered_is_told(self) -> None:
        client, _ = answering(CONFLICT)
        with client, pytest.raises(PreconditionError, match="409 it is there already"):
            client.answer("dag", "run", old_question(), "Approve")

    def test_a_login_is_tried_again(self) -> None:
        answers = iter([BUSY, httpx.Response(201, json={"access_token": "let-me-in"})])
        with AirflowClient("http://lab", "operator", "secret", transport=httpx.MockTransport(lambda _: next(answers))):
            pass
        assert not list(answers)


def old_question() -> Question:
    return Question("approve", -1, "ok?", "", ("Approve", "Reject"), datetime.now(UTC) - timedelta(hours=1))
