"""The gate, with every shape of answer that Airflow 3.3 hands over.

From REST or UI, by the sweep at the time-out, or from an auth manager that knows people by numbers.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.standard.operators import hitl
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, TaskAwaitingInput

from incorta_provider.dr.approval import Approval
from incorta_provider.dr.plan import Plan
from incorta_provider.operators import approval as approval_module
from incorta_provider.operators.approval import CutoverApprovalOperator
from tests.builders.group import NOON, Bench, cutover_run, frozen_plan


@pytest.fixture
def gate() -> CutoverApprovalOperator:
    with DAG("cutover", schedule=None):
        return CutoverApprovalOperator(task_id="approve", group="acme", target="newyork")


@pytest.fixture
def plan(bench: Bench) -> Plan:
    return frozen_plan(bench, cutover_run(bench))


def context(by: str | None = "hana") -> Any:
    return {
        "dag_run": SimpleNamespace(run_id="manual__1", triggering_user_name=by, run_after=NOON, clear_number=0),
        "task_instance": SimpleNamespace(id="the task"),
    }


def answer(**changes: Any) -> dict[str, Any]:
    """Return what Airflow makes of an answer (``HITLDetail.as_resume_event_payload`` of 3.3.2)."""
    return {
        "chosen_options": ["Approve"],
        "params_input": {},
        "responded_at": NOON,
        "responded_by_user": {"id": "omar", "name": "omar"},
        "timedout": False,
        **changes,
    }


def approval(bench: Bench) -> Approval | None:
    return cutover_run(bench).folder.approval()


def test_the_gate_waits_an_hour_unless_told_otherwise_and_silence_is_a_refusal(gate: CutoverApprovalOperator) -> None:
    assert (gate.options, gate.defaults, gate.multiple) == (["Approve", "Reject"], ["Reject"], False)
    assert gate.response_timeout == timedelta(hours=1)
    assert gate.execution_timeout is None
    other = CutoverApprovalOperator(task_id="t", group="acme", target="newyork", response_timeout=timedelta(seconds=90))
    assert other.response_timeout == timedelta(seconds=90)


def test_the_plan_is_shown_before_anybody_is_asked(
    gate: CutoverApprovalOperator, plan: Plan, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        approval_module, "dr_access", lambda _: bench.access
    )  # with the clock by which the plan is fresh
    asked: dict[str, Any] = {}
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **fields: asked.update(fields))
    with pytest.raises(TaskAwaitingInput) as caught:
        gate.execute(context())
    assert caught.value.method_name == "execute_complete"
    assert caught.value.timeout == timedelta(hours=1)
    assert asked["subject"] == "unplanned cutover of acme: berlin → newyork"
    assert asked["body"] == plan.to_markdown()
    assert asked["options"] == ["Approve", "Reject"]
    assert asked["defaults"] == ["Reject"]
    assert asked["assigned_users"] is None


def test_without_a_plan_nobody_is_asked(
    gate: CutoverApprovalOperator, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(hitl, "upsert_hitl_detail")
    with pytest.raises(AirflowFailException, match="no plan was frozen"):
        gate.execute(context())


def test_a_plan_of_another_day_is_put_before_nobody(
    gate: CutoverApprovalOperator, plan: Plan, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approval_module, "dr_access", lambda _: bench.access)
    bench.clock.go_on(3 * 86400)
    with pytest.raises(AirflowFailException, match="the plan was made 4320 minutes ago"):
        gate.execute(context())


def test_what_was_typed_into_the_form_is_no_template_for_the_gate(
    gate: CutoverApprovalOperator, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen_plan(bench, cutover_run(bench), reason="{{ 6 * 7 }}")
    monkeypatch.setattr(approval_module, "dr_access", lambda _: bench.access)
    asked: dict[str, Any] = {}
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **fields: asked.update(fields))
    gate.render_template_fields(context())
    with pytest.raises(TaskAwaitingInput):
        gate.execute(context())
    assert "{{ 6 \\* 7 }}" in asked["body"]


@pytest.mark.parametrize(
    "user",
    [
        {"id": "omar", "name": "omar"},
        {"id": "7", "name": "omar"},
        {"id": 7, "name": "omar"},
        {"id": "omar", "name": ""},
        {"id": "omar", "name": None},
        {"id": "omar"},
    ],
)
def test_a_second_person_is_known_by_account_whatever_the_id_looks_like(
    gate: CutoverApprovalOperator, plan: Plan, bench: Bench, user: dict[str, Any]
) -> None:
    returned = gate.execute_complete(context(), answer(responded_by_user=user))
    assert returned == {"approved_by": "omar", "plan_sha256": plan.sha256}
    sealed = approval(bench)
    assert sealed is not None
    assert (sealed.approved_by, sealed.requested_by, sealed.approved_at) == ("omar", "hana", NOON)
    assert bench.events() == ["cutover.approved"]


@pytest.mark.parametrize(
    "user",
    [
        {"id": "hana", "name": "hana"},
        {"id": "7", "name": "hana"},
        {"id": "hana", "name": "Hana Brown"},
        {"id": "HANA", "name": "7"},
        {"id": "7", "name": " hana "},
        {"id": "\N{FULLWIDTH LATIN SMALL LETTER H}ana", "name": "7"},
    ],
)
def test_the_one_who_asked_does_not_approve_by_whichever_field_shows_it(
    gate: CutoverApprovalOperator, plan: Plan, bench: Bench, user: dict[str, Any]
) -> None:
    with pytest.raises(AirflowFailException, match="triggered the cutover and must not approve it"):
        gate.execute_complete(context(), answer(responded_by_user=user))
    assert approval(bench) is None
    assert bench.events() == ["cutover.refused"]


@pytest.mark.parametrize(
    "event",
    [
        answer(chosen_options=["Reject"], responded_by_user=None, timedout=True),
        answer(chosen_options=["Approve"], responded_by_user=None, timedout=True),
        answer(responded_by_user=None),
        answer(responded_by_user={}),
        answer(responded_by_user={"id": "", "name": ""}),
        answer(responded_by_user={"id": None, "name": None}),
        answer(responded_by_user={"id": " ", "name": "\t"}),
        {"error": "The Human-in-the-loop response timeout has passed without a response.", "error_type": "timeout"},
        {"error": "a trigger that broke", "error_type": "unknown"},
        {},
    ],
)
def test_silence_is_a_refusal_whatever_it_looks_like(
    gate: CutoverApprovalOperator, plan: Plan, bench: Bench, event: dict[str, Any]
) -> None:
    with pytest.raises(AirflowFailException, match="ApprovalError: nobody answered in time; silence is a refusal"):
        gate.execute_complete(context(), event)
    assert approval(bench) is None
    assert bench.events() == ["cutover.timed_out"]


@pytest.mark.parametrize("chosen", [["Reject"], [], None, ["Approve", "Reject"], ["approve"], ["Yes"]])
def test_only_approve_approves(
    gate: CutoverApprovalOperator, plan: Plan, bench: Bench, chosen: list[str] | None
) -> None:
    with pytest.raises(AirflowFailException, match="ApprovalError: omar answered"):
        gate.execute_complete(context(), answer(chosen_options=chosen))
    assert approval(bench) is None
    assert bench.events() == ["cutover.refused"]
    assert bench.last("cutover.refused")["plan_sha256"] == plan.sha256


@pytest.mark.parametrize("by", [None, ""])
def test_the_plan_knows_who_asked_even_when_the_run_does_not(
    gate: CutoverApprovalOperator, plan: Plan, bench: Bench, by: str | None
) -> None:
    with pytest.raises(AirflowFailException, match="hana triggered the cutover and must not approve it"):
        gate.execute_complete(context(by), answer(responded_by_user={"id": "hana", "name": "hana"}))


@pytest.mark.parametrize("by", ["somebody else", None])
def test_the_one_who_asked_is_found_by_the_plan_in_either_field(
    gate: CutoverApprovalOperator, plan: Plan, bench: Bench, by: str | None
) -> None:
    """The run's own account is not what counts: the plan that is approved says who asked for it."""
    with pytest.raises(AirflowFailException, match="must not approve it"):
        gate.execute_complete(context(by), answer(responded_by_user={"id": "hana", "name": "Hana Brown"}))
    assert approval(bench) is None


@pytest.mark.parametrize(
    ("responded_at", "taken"),
    [
        (NOON, NOON),
        ("2026-11-25T12:00:00+00:00", NOON),
        ("2026-11-25T12:00:00Z", NOON),
        ("2026-11-25T13:00:00+01:00", NOON),
    ],
)
def test_the_time_of_the_answer_is_taken_as_it_comes(
    gate: CutoverApprovalOperator, plan: Plan, bench: Bench, responded_at: Any, taken: datetime
) -> None:
    gate.execute_complete(context(), answer(responded_at=responded_at))
    sealed = approval(bench)
    assert sealed is not None
    assert sealed.approved_at == taken


@pytest.mark.parametrize("responded_at", ["yesterday", "2026-11-25T12:00:00", datetime(2026, 11, 25, 12, 0)])
def test_an_answer_whose_moment_cannot_be_told_approves_nothing(
    gate: CutoverApprovalOperator, plan: Plan, bench: Bench, responded_at: Any
) -> None:
    with pytest.raises((ValueError, AirflowFailException), match=r"isoformat|timezone|Approval"):
        gate.execute_complete(context(), answer(responded_at=responded_at))
    assert approval(bench) is None
    assert bench.events() == []


@pytest.mark.parametrize("responded_at", [None, 1764072000])
def test_an_answer_without_a_time_counts_from_now(
    gate: CutoverApprovalOperator, plan: Plan, bench: Bench, responded_at: Any
) -> None:
    before = datetime.now(UTC)
    gate.execute_complete(context(), answer(responded_at=responded_at))
    sealed = approval(bench)
    assert sealed is not None
    assert before <= sealed.approved_at <= datetime.now(UTC)


def test_an_answer_is_bound_to_the_plan_of_its_own_run(gate: CutoverApprovalOperator, bench: Bench) -> None:
    frozen_plan(bench, cutover_run(bench, "manual__2"))
    with pytest.raises(AirflowFailException, match="no plan was frozen for run manual__1"):
        gate.execute_complete(context(), answer())


def test_a_key_that_cannot_sign_fails_the_task_and_approves_nothing(
    gate: CutoverApprovalOperator, plan: Plan, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ACME_APPROVAL", '{"conn_type": "generic", "password": "short"}')
    with pytest.raises(AirflowFailException, match="the signing key of approvals is shorter than 16 bytes"):
        gate.execute_complete(context(), answer())
    assert approval(bench) is None
