from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from incorta_provider.dr.approval import APPROVE, REJECT, Approval
from incorta_provider.dr.topology import ApprovalRules
from incorta_provider.exceptions import ApprovalError, ConfigurationError, PreconditionError
from incorta_provider.steps.cutover.approve import (
    MIN_KEY_BYTES,
    plan_to_approve,
    seal_approval,
    signing_key,
    verified_approval,
)
from incorta_provider.steps.cutover.run import CutoverRun
from tests.builders.group import NOON, SIGNING_KEY, Bench, cutover_run, frozen_plan


def answered(run: CutoverRun, by: str | None = "omar", *chosen: str) -> Approval:
    return seal_approval(run, answered_by=by, chosen=chosen or [APPROVE], answered_at=NOON)


@pytest.mark.parametrize(
    ("password", "long_enough"),
    [
        ("", False),
        ("x" * (MIN_KEY_BYTES - 1), False),
        ("x" * MIN_KEY_BYTES, True),
        ("ü" * (MIN_KEY_BYTES // 2), True),
    ],
)
def test_a_key_that_could_be_guessed_is_refused(bench: Bench, password: str, long_enough: bool) -> None:
    """What counts is bytes, not letters."""
    bench.passwords["acme_approval"] = password
    if long_enough:
        assert signing_key(bench.access) == password.encode()
        return
    with pytest.raises(ConfigurationError, match="shorter than 16 bytes") as caught:
        signing_key(bench.access)
    assert caught.value.where == "connection acme_approval"
    assert not password or password not in str(caught.value)


def test_a_missing_key_is_told(bench: Bench) -> None:
    bench.absent.add("acme_approval")
    with pytest.raises(ConfigurationError, match="acme_approval"):
        signing_key(bench.access)


def test_the_answer_of_a_second_person_is_signed_and_bound_to_the_plan(bench: Bench) -> None:
    run = cutover_run(bench)
    plan = frozen_plan(bench, run)
    approval = answered(run)
    assert approval.model_dump(exclude={"nonce", "signature"}) == {
        "group": "acme",
        "run_id": "manual__1",
        "plan_sha256": plan.sha256,
        "recovery_point": plan.recovery_point,
        "target": "newyork",
        "clear_number": 0,
        "requested_by": "hana",
        "approved_by": "omar",
        "approved_at": NOON,
        "expires_at": NOON + timedelta(hours=1),
    }
    assert verified_approval(cutover_run(bench), plan) == approval
    (line,) = bench.access.site("newyork").ledger.entries()
    assert (line.event, line.actor) == ("cutover.approved", "omar")
    assert line.details == {"answered_by": "omar", "chosen": [APPROVE], "plan_sha256": plan.sha256}


def test_two_answers_never_look_alike(bench: Bench) -> None:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    first, second = answered(run), answered(run)
    assert first.nonce != second.nonce
    assert first.signature != second.signature
    assert bench.events() == ["cutover.approved", "cutover.approved"]
    assert run.folder.approval() == second


@pytest.mark.parametrize(
    ("by", "chosen", "reason", "event", "actor"),
    [
        ("omar", [REJECT], "omar answered Reject", "cutover.refused", "omar"),
        ("omar", ["approve"], "omar answered approve", "cutover.refused", "omar"),
        ("omar", ["APPROVED"], "omar answered APPROVED", "cutover.refused", "omar"),
        ("omar", [APPROVE, REJECT], "omar answered Approve, Reject", "cutover.refused", "omar"),
        ("omar", [APPROVE, APPROVE], "omar answered Approve, Approve", "cutover.refused", "omar"),
        ("omar", [], "omar answered nothing", "cutover.refused", "omar"),
        ("hana", [APPROVE], "hana triggered the cutover and must not approve it", "cutover.refused", "hana"),
        (" Hana", [APPROVE], "Hana triggered the cutover and must not approve it", "cutover.refused", " Hana"),
        (None, [REJECT], "nobody answered in time; silence is a refusal", "cutover.timed_out", "nobody"),
        (None, [APPROVE], "nobody answered in time; silence is a refusal", "cutover.timed_out", "nobody"),
        ("", [APPROVE], "nobody answered in time; silence is a refusal", "cutover.timed_out", "nobody"),
    ],
)
def test_success_is_a_closed_list(
    bench: Bench, by: str | None, chosen: list[str], reason: str, event: str, actor: str
) -> None:
    run = cutover_run(bench)
    plan = frozen_plan(bench, run)
    with pytest.raises(ApprovalError, match=reason):
        seal_approval(run, answered_by=by, chosen=chosen, answered_at=NOON)
    assert run.folder.approval() is None
    (line,) = bench.access.site("newyork").ledger.entries()
    assert (line.event, line.actor) == (event, actor)
    assert line.details == {"answered_by": by, "chosen": chosen, "plan_sha256": plan.sha256, "reason": reason}


def test_a_refusal_is_told_once_however_often_the_task_is_tried(bench: Bench) -> None:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    for _ in range(2):
        with pytest.raises(ApprovalError):
            answered(run, "omar", REJECT)
    assert bench.events() == ["cutover.refused"]


def test_without_a_plan_there_is_nothing_to_approve(bench: Bench) -> None:
    with pytest.raises(PreconditionError, match="no plan was frozen"):
        answered(cutover_run(bench))
    assert bench.events() == []


def test_without_an_answer_nothing_is_approved_and_marking_the_task_does_not_help(bench: Bench) -> None:
    run = cutover_run(bench)
    with pytest.raises(ApprovalError, match="nobody approved this cutover") as caught:
        verified_approval(run, frozen_plan(bench, run))
    assert "marking it as success is not an approval" in caught.value.fix


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"approved_by": "mallory"}, "the approval's signature is not valid"),
        ({"expires_at": NOON + timedelta(days=365)}, "the approval's signature is not valid"),
        ({"recovery_point": "another"}, "the approval's signature is not valid"),
        ({"signature": ""}, "the approval's signature is not valid"),
        ({"signature": "äöü"}, "the approval's signature is not valid"),
    ],
)
def test_a_forged_approval_opens_nothing(bench: Bench, changes: dict[str, Any], reason: str) -> None:
    run = cutover_run(bench)
    plan = frozen_plan(bench, run)
    run.folder.save_approval(answered(run).model_copy(update=changes))
    with pytest.raises(ApprovalError, match=reason):
        verified_approval(run, plan)


def test_the_approval_of_another_run_another_plan_and_another_key_opens_nothing(bench: Bench) -> None:
    run, other = cutover_run(bench), cutover_run(bench, "manual__2")
    plan = frozen_plan(bench, run)
    frozen_plan(bench, other)
    run.folder.save_approval(answered(other))
    with pytest.raises(ApprovalError, match="the approval is for run manual__2, not for manual__1"):
        verified_approval(run, plan)
    answered(run)
    with pytest.raises(ApprovalError, match="the plan changed after it was approved"):
        verified_approval(run, plan.model_copy(update={"recovery_point": "another"}))
    bench.passwords["acme_approval"] = "another key, as long as it has to be"
    with pytest.raises(ApprovalError, match="signature is not valid"):
        verified_approval(run, plan)


def test_the_topology_says_how_long_an_approval_is_fresh(bench: Bench) -> None:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    rules = ApprovalRules(conn_id="acme_approval", timeout_seconds=60)
    run = CutoverRun(bench.changed(approval=rules), run.target, run.run_id, run.actor)
    assert answered(run).expires_at == NOON + timedelta(seconds=60)


def test_the_key_is_in_no_file(bench: Bench) -> None:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    answered(run)
    written = [path.read_text() for path in bench.catalog.root.rglob("*.json*")]
    assert len(written) > 2
    assert not any(SIGNING_KEY in text for text in written)


def test_a_plan_that_is_too_old_is_not_shown_to_an_approver(bench: Bench) -> None:
    run = cutover_run(bench)
    plan = frozen_plan(bench, run)
    bench.clock.go_on(3600 + 900)
    assert plan_to_approve(run) == plan
    bench.clock.go_on(1)
    with pytest.raises(PreconditionError, match="no longer says what would be lost"):
        plan_to_approve(run)
