from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from incorta_provider.exceptions import (
    ApprovalError,
    ConfigurationError,
    DrError,
    FencingError,
    IntegrityError,
    NothingToDo,
    PreconditionError,
    TransientError,
)
from incorta_provider.operators.base import (
    DrOperator,
    airflow_errors,
    dr_access,
    requester_of,
    round_of,
    run_of,
    topology_path,
)
from tests.builders.group import PASSWORD, Bench

FAILING = [ApprovalError, ConfigurationError, DrError, FencingError, IntegrityError, PreconditionError]


class Fails(DrOperator):
    """Fails as it is told, or returns its group's name."""

    def __init__(self, *, error: Exception | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.error = error

    def work(self, context: Any) -> str:
        if self.error:
            raise self.error
        return self.access().name


@pytest.mark.parametrize("kind", FAILING)
def test_what_trying_again_cannot_cure_fails_the_task_at_once_with_its_text(
    kind: type[DrError], caplog: pytest.LogCaptureFixture
) -> None:
    error = kind("it broke", where="there", fix="Mend it.")
    with pytest.raises(AirflowFailException) as caught, airflow_errors():
        raise error
    assert str(caught.value) == f"{kind.__name__}: it broke [there]. Next: Mend it."
    assert caught.value.__suppress_context__
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [str(error)]


def test_every_error_of_the_family_is_in_one_of_both_lists() -> None:
    assert set(DrError.__subclasses__()) == {*FAILING, TransientError} - {DrError}


def test_what_may_pass_stays_as_it_is_so_that_retries_apply() -> None:
    error = TransientError("busy")
    with pytest.raises(TransientError) as caught, airflow_errors():
        raise error
    assert caught.value is error


def test_nothing_to_do_skips_the_task_with_the_reason() -> None:
    with pytest.raises(AirflowSkipException, match=r"^newyork is the active site$"), airflow_errors():
        raise NothingToDo("newyork is the active site")


def test_a_bug_is_not_dressed_up() -> None:
    with pytest.raises(ZeroDivisionError), airflow_errors():
        raise ZeroDivisionError


def test_an_operator_turns_errors_on_its_way(bench: Bench) -> None:
    with pytest.raises(AirflowFailException, match="IntegrityError: damaged"):
        Fails(task_id="t", group="acme", error=IntegrityError("damaged")).execute({})
    with pytest.raises(AirflowSkipException):
        Fails(task_id="t", group="acme", error=NothingToDo("no work")).execute({})
    assert Fails(task_id="t", group="acme").execute({}) == "acme"


def test_tasks_are_tried_again_unless_told_otherwise() -> None:
    made = Fails(task_id="t", group="acme")
    assert (made.retries, made.retry_delay) == (3, timedelta(seconds=10))
    other = Fails(task_id="t", group="acme", retries=0, retry_delay=timedelta(minutes=5))
    assert (other.retries, other.retry_delay) == (0, timedelta(minutes=5))


def test_the_topology_is_found_by_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__INCORTA_DR__TOPOLOGY", "/etc/incorta_dr.yaml")
    assert topology_path() == Path("/etc/incorta_dr.yaml")


@pytest.mark.parametrize("value", [None, ""])
def test_a_setting_that_is_missing_is_told_when_the_task_runs(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("AIRFLOW__INCORTA_DR__TOPOLOGY", raising=False)
    if value is not None:
        monkeypatch.setenv("AIRFLOW__INCORTA_DR__TOPOLOGY", value)
    made = Fails(task_id="t", group="acme")
    with pytest.raises(
        AirflowFailException, match=r"the path of the topology is not set .*AIRFLOW__INCORTA_DR__TOPOLO"
    ):
        made.execute({})


def test_a_group_that_is_not_in_the_topology_fails_the_task(bench: Bench) -> None:
    with pytest.raises(AirflowFailException, match="there is no protection group 'acne', only acme"):
        Fails(task_id="t", group="acne").execute({})


def test_a_group_s_connections_are_airflow_s(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert dr_access("acme").site("newyork").database.password == PASSWORD
    monkeypatch.delenv("AIRFLOW_CONN_NEWYORK_METADATA")
    with pytest.raises(ConfigurationError, match="there is no connection 'newyork_metadata'"):
        _ = dr_access("acme").site("newyork").database


def test_who_acts_and_for_which_run_come_from_the_run() -> None:
    run = SimpleNamespace(run_id="manual__1", triggering_user_name="hana", clear_number=2)
    context: Any = {"dag_run": run}
    assert (run_of(context), requester_of(context), round_of(context)) == ("manual__1", "hana", 2)
    context["dag_run"].triggering_user_name = None
    assert requester_of(context) == ""


def test_a_full_disk_fails_the_task_and_a_disk_that_stutters_is_tried_again() -> None:
    with pytest.raises(AirflowFailException, match=r"PreconditionError: No space left on device \[/mnt/x\]"):
        Fails(task_id="t", group="acme", error=OSError(28, "No space left on device", "/mnt/x")).execute({})
    with pytest.raises(TransientError, match=r"Input/output error"):
        Fails(task_id="t", group="acme", error=OSError(5, "Input/output error")).execute({})
