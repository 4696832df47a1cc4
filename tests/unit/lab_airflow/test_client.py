from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from incorta_provider.exceptions import PreconditionError, TransientError
from lab.airflow import client as module
from lab.airflow.client import SETTLE_SECONDS, AirflowClient, Question

Handler = Callable[[httpx.Request], httpx.Response]


def talking_to(handler: Handler) -> AirflowClient:
    def serve(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/token":
            return httpx.Response(201, json={"access_token": "let-me-in"})
        return handler(request)

    return AirflowClient("http://lab", "operator", "secret", transport=httpx.MockTransport(serve))


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


def test_a_server_error_may_pass() -> None:
    client = talking_to(lambda _: httpx.Response(500, text="oops"))
    with client, pytest.raises(TransientError, match="500 oops"):
        client.dag_ids()


def test_a_page_is_no_answer() -> None:
    page = httpx.Response(200, text="<!doctype html>", headers={"content-type": "text/html"})
    with talking_to(lambda _: page) as client, pytest.raises(PreconditionError, match="a page that is not JSON"):
        client.dag_ids()


def test_silence_is_transient() -> None:
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
    asked = datetime.now(UTC) - timedelta(seconds=age)
    question = Question("approve", -1, "ok?", "", ("Approve", "Reject"), asked)
    with talking_to(lambda _: httpx.Response(200, json={})) as client:
        client.answer("dag", "run", question, "Approve")
    assert waited == [pytest.approx(waits, abs=1)]


def test_the_password_does_not_show() -> None:
    assert "secret" not in repr(AirflowClient("http://lab", "operator", "secret"))


def test_a_dag_is_unpaused_though_the_database_was_busy_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    answers = iter([httpx.Response(500, text="database is locked"), httpx.Response(200, json={})])
    said: list[bytes] = []

    def handler(request: httpx.Request) -> httpx.Response:
        said.append(request.content)
        return next(answers)

    with talking_to(handler) as client:
        client.unpause("dag")
    assert said == [b'{"is_paused":false}'] * 2
