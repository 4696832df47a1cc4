"""Talks to Airflow's REST API as one user: what a person does in the UI, or an on-call tool in a script.

What Airflow could not answer is said again for a while: SQLite has one writer, and the API server answers 500 when
another one was faster, or nothing at all on a busy machine. All that is said here does no harm twice.

Raises :class:`~incorta_provider.exceptions.TransientError` when Airflow does not answer, and
:class:`~incorta_provider.exceptions.PreconditionError` when it refuses, with its own words.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from incorta_provider.exceptions import PreconditionError, TransientError
from lab.airflow.health import Part, unhealthy
from lab.airflow.settings import DATABASE_SECONDS

T = TypeVar("T")

SECONDS = DATABASE_SECONDS + 30
"""How long Airflow may take for one answer: it waits for its database before it says anything."""

SETTLE_SECONDS = 6
"""How long a question must have stood before it is answered.

Airflow 3.3.2 fails a task whose answer comes before the scheduler has noticed that the task parked itself. A person is
never that fast; a script is.
"""

ENDED = frozenset({"success", "failed"})
"""States in which a run changes no more."""


class _ConflictError(PreconditionError):
    """What was asked for is there already."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task instance of a run.

    :param state: None before it is scheduled.
    :param start: when it began, as Airflow writes it; empty before.
    """

    task_id: str
    map_index: int
    state: str | None
    try_number: int
    duration: float | None
    start: str


@dataclass(frozen=True, slots=True)
class Question:
    """What a task asks a person."""

    task_id: str
    map_index: int
    subject: str
    body: str
    options: tuple[str, ...]
    asked_at: datetime


@dataclass
class AirflowClient:
    """A session of one user.

    :param url: where the API server is, without a path.
    :param transport: what carries the requests; None for the network.
    """

    url: str
    user: str
    password: str = field(repr=False)
    transport: httpx.BaseTransport | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._http = httpx.Client(
            base_url=self.url, timeout=SECONDS, trust_env=False, transport=self.transport, verify=False
        )

    def __enter__(self) -> Self:
        """Log in."""
        _patiently(self._login, time.monotonic() + SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._http.close()

    def unpause(self, dag_id: str) -> None:
        """Let a DAG run."""
        self._set_paused(dag_id, paused=False)

    def pause(self, dag_id: str) -> None:
        """Keep a DAG from starting new runs."""
        self._set_paused(dag_id, paused=True)

    def dag_ids(self) -> list[str]:
        """Return every DAG that Airflow has parsed."""
        return [dag["dag_id"] for dag in self._read("/dags", limit=1000)["dags"]]

    def import_errors(self) -> list[str]:
        """Return why files of the DAG folder could not be imported."""
        errors = self._read("/importErrors")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace'].strip()}" for error in errors]

    def wait_until_parsed(self, *dag_ids: str, seconds: float = 120) -> None:
        """Wait until Airflow knows the DAGs; a server that starts on a busy machine may be slow with its first answers.

        :raises PreconditionError: some stay unknown; with the import errors.
        :raises TransientError: it does not answer in that time.
        """
        deadline = time.monotonic() + seconds
        while missing := sorted(set(dag_ids) - set(_patiently(self.dag_ids, deadline))):
            errors = self.import_errors()
            if errors or time.monotonic() > deadline:
                raise PreconditionError(
                    f"Airflow does not know {', '.join(missing)}: {'; '.join(errors) or 'no import error is reported'}",
                    where=self.url,
                    fix="Correct the DAG file, or read the DAG processor's log.",
                )
            time.sleep(1)

    def _set_paused(self, dag_id: str, *, paused: bool) -> None:
        body = {"is_paused": paused}
        _patiently(lambda: self._call("PATCH", f"/dags/{dag_id}", json=body), time.monotonic() + SECONDS)

    def trigger(self, dag_id: str, conf: dict[str, Any], note: str = "") -> str:
        """Start a run as this user and return its id, which is chosen here: said twice, it is still one run."""
        run_id = f"manual__{datetime.now(UTC).isoformat()}_{secrets.token_hex(4)}"
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf, "note": note or None}
        self._once("POST", f"/dags/{dag_id}/dagRuns", body)
        return run_id

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of one run."""
        state: str = self._read(f"/dags/{dag_id}/dagRuns/{run_id}")["state"]
        return state

    def runs(self, dag_id: str, limit: int = 100) -> dict[str, str]:
        """Return run id and state of the newest runs, the newest first."""
        found = self._read(f"/dags/{dag_id}/dagRuns", order_by="-run_after", limit=limit)["dag_runs"]
        return {run["dag_run_id"]: run["state"] for run in found}

    def tasks(self, dag_id: str, run_id: str) -> list[Task]:
        """Return the tasks of a run, in no particular order."""
        found = self._read(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=1000)
        return [
            Task(
                task_id=item["task_id"],
                map_index=item["map_index"],
                state=item["state"],
                try_number=item["try_number"],
                duration=item["duration"],
                start=item["start_date"] or "",
            )
            for item in found["task_instances"]
        ]

    def questions(self, dag_id: str, run_id: str) -> list[Question]:
        """Return what tasks of a run ask and nobody has answered."""
        found = self._read(f"/dags/{dag_id}/dagRuns/{run_id}/hitlDetails", response_received=False)
        return [
            Question(
                task_id=item["task_instance"]["task_id"],
                map_index=item["task_instance"]["map_index"],
                subject=item["subject"],
                body=item["body"] or "",
                options=tuple(item["options"]),
                asked_at=datetime.fromisoformat(item["created_at"]),
            )
            for item in found["hitl_details"]
            if not item["response_received"]
        ]

    def answer(self, dag_id: str, run_id: str, question: Question, option: str) -> None:
        """Answer as this user, not before :data:`SETTLE_SECONDS` have passed since it was asked.

        :raises TransientError: also when the scheduler has stood still since then.
        """
        stood = (datetime.now(UTC) - question.asked_at).total_seconds()
        time.sleep(min(max(0.0, SETTLE_SECONDS - stood), SETTLE_SECONDS))
        self._await_scheduler(question.asked_at + timedelta(seconds=SETTLE_SECONDS / 2))
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{question.task_id}/{question.map_index}/hitlDetails"
        self._once("PATCH", path, {"chosen_options": [option], "params_input": {}})

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """Return what a task left for others."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self._read(path, deserialize=True)["value"]

    def log(self, dag_id: str, run_id: str, task: Task) -> list[str]:
        """Return the lines that the last try of a task logged."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task.task_id}/logs/{task.try_number}"
        content = self._read(path, map_index=task.map_index, full_content=True)["content"]
        return [line["event"] if isinstance(line, dict) else str(line) for line in content]

    def _await_scheduler(self, since: datetime) -> None:
        """Wait for a sign of life of the scheduler: on a busy machine it is what takes long to notice."""
        deadline = time.monotonic() + SECONDS
        while fault := unhealthy(self.url, Part.SCHEDULER, since=since):
            if time.monotonic() > deadline:
                raise TransientError(
                    f"nobody may have noticed the question yet: {fault}", where=self.url, fix="See the scheduler's log."
                )
            time.sleep(0.5)

    def _login(self) -> None:
        token = self._send("POST", "/auth/token", json={"username": self.user, "password": self.password})
        self._http.headers["Authorization"] = f"Bearer {token['access_token']}"

    def _once(self, method: str, path: str, body: dict[str, Any]) -> None:
        """Have something done that can be done only once: if it is when it is said again, the first time did it."""
        tries = 0

        def say() -> None:
            nonlocal tries
            tries += 1
            try:
                self._call(method, path, json=body)
            except _ConflictError:
                if tries == 1:
                    raise

        _patiently(say, time.monotonic() + SECONDS)

    def _read(self, path: str, **query: Any) -> Any:
        return _patiently(lambda: self._call("GET", path, params=query), time.monotonic() + SECONDS)

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        return self._send(method, f"/api/v2{path}", **arguments)

    def _send(self, method: str, path: str, **arguments: Any) -> Any:
        try:
            answer = self._http.request(method, path, **arguments)
        except httpx.HTTPError as error:
            raise TransientError(
                f"Airflow does not answer: {error or type(error).__name__}",
                where=f"{method} {self.url}{path}",
                fix="See the log of the API server.",
            ) from None
        if answer.is_success and answer.headers.get("content-type", "").startswith("application/json"):
            return answer.json()
        raise _refusal(method, answer)


def _patiently(ask: Callable[[], T], deadline: float) -> T:
    """Ask until there is an answer; what is asked must do no harm twice.

    :raises TransientError: there is none at the deadline, a time of the monotonic clock.
    """
    while True:
        try:
            return ask()
        except TransientError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def _refusal(method: str, answer: httpx.Response) -> TransientError | PreconditionError:
    """Return the error for an answer that is no success, or a page where JSON should be."""
    kind: type[TransientError | PreconditionError] = TransientError if answer.is_server_error else PreconditionError
    if answer.status_code == httpx.codes.CONFLICT:
        kind = _ConflictError
    try:
        words = str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        words = "a page that is not JSON" if answer.is_success else answer.text[:300]
    return kind(
        f"Airflow refused: {answer.status_code} {words}", where=f"{method} {answer.url}", fix="Correct the request."
    )
