"""The plan that was approved is the plan that is carried out, step by step, in its own order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from incorta_provider.dr.plan import MAX_SKEW, MAX_WAIT, Mode, Plan, StepName, ensure_plan_fresh, loss_sentence
from incorta_provider.dr.planning import make_plan
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.dr.request import Request, confirmation_phrase, ensure_acceptable, parse_mode
from incorta_provider.dr.topology import Group
from incorta_provider.exceptions import PreconditionError

AT = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
HEAD = 7
"""Lines before the steps of a plan as it is read."""


def request(**changed: Any) -> Request:
    fields: dict[str, Any] = {
        "run_id": "manual__1",
        "target": "newyork",
        "mode": "unplanned",
        "recovery_point": "",
        "confirmation": "PROMOTE newyork",
        "reason": "berlin burns",
        "requested_by": "ada",
        "requested_at": AT,
        "created_at": AT,
    }
    return Request(**(fields | changed))


@pytest.fixture(scope="session")
def plan(group: Group, point: Callable[..., RecoveryPoint]) -> Plan:
    """Return the plan of a cutover to newyork."""
    return make_plan("acme", group, source="berlin", target="newyork", epoch=4, point=point(), request=request())


def test_the_plan_holds_what_was_requested(plan: Plan) -> None:
    assert plan.model_dump(exclude={"steps"}) == {
        "group": "acme",
        "run_id": "manual__1",
        "mode": Mode.UNPLANNED,
        "source": "berlin",
        "target": "newyork",
        "epoch": 4,
        "recovery_point": "20261125T025500Z-55d41569",
        "point_opened_at": datetime(2026, 11, 25, 2, 55, tzinfo=UTC),
        "requested_by": "ada",
        "reason": "berlin burns",
        "requested_at": AT,
        "created_at": AT,
        "accept_unfenced": False,
    }


def test_the_plan_has_every_step_once_in_the_order_of_their_names(plan: Plan) -> None:
    names = [step.name for step in plan.steps]
    drilled = {StepName.PREPARE_DRILL, StepName.CLEAN_DRILL}
    others = {StepName.QUIESCE, StepName.FINAL_SYNC, StepName.SWITCH_TRAFFIC, StepName.COMMIT_WINDOW} | drilled
    assert names == [name for name in StepName if name not in others]
    assert [step.name for step in plan.steps if step.site != "newyork"] == ["fence"]
    assert all(step.actions for step in plan.steps)


def test_the_steps_say_what_they_do_in_the_words_of_the_topology(plan: Plan) -> None:
    actions = {step.name: step.actions for step in plan.steps}
    assert actions[StepName.FENCE][0] == "set epoch 5 at newyork"
    assert actions[StepName.APPLY] == ("roll file:///mnt/newyork/Tenants to 20261125T025500Z-55d41569 (120 files)",)
    assert actions[StepName.REWRITE] == ("TENANT.PATH: tenants_path",)
    assert actions[StepName.START_LOADER] == ("loaderService",)
    assert actions[StepName.START_ANALYTICS] == ("analyticsService",)
    assert "newyork_node1, newyork_node2" in actions[StepName.START_NODES][0]
    assert actions[StepName.START_CMC] == ("start the CMC on newyork_node1",)


def test_the_frozen_plan_keeps_its_hash_in_the_file(plan: Plan) -> None:
    assert Plan.model_validate_json(plan.model_dump_json(indent=2)).sha256 == plan.sha256
    assert Plan.model_validate(plan.model_dump(mode="json")).sha256 == plan.sha256
    assert len(bytes.fromhex(plan.sha256)) == 32


@given(minutes=st.integers(-14 * 60, 14 * 60), text=st.text())
def test_the_frozen_plan_keeps_its_hash_whatever_its_zone_and_words(plan: Plan, minutes: int, text: str) -> None:
    zone = timezone(timedelta(minutes=minutes))
    frozen = plan.model_copy(update={"created_at": AT.astimezone(zone), "reason": text})
    assert Plan.model_validate_json(frozen.model_dump_json()).sha256 == frozen.sha256


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # there is one mode so far; another is made up
@pytest.mark.parametrize("name", list(Plan.model_fields))
def test_the_hash_changes_with_any_field(plan: Plan, name: str) -> None:
    value = getattr(plan, name)
    changed: dict[type, Callable[[Any], Any]] = {
        int: lambda number: number + 1,
        str: lambda text: text + " ",
        Mode: lambda mode: "planned",
        datetime: lambda at: at + timedelta(microseconds=1),
        tuple: lambda steps: steps[:-1],
        bool: lambda accepted: not accepted,
    }
    spoiled = Plan.model_construct(**(dict(plan) | {name: changed[type(value)](value)}))
    assert spoiled.sha256 != plan.sha256


@pytest.mark.parametrize(
    "change",
    [
        {"name": StepName.PROMOTE},
        {"site": "berlin"},
        {"actions": ("something else",)},
        {"actions": ()},
    ],
    ids=["name", "site", "action", "no action"],
)
def test_the_hash_changes_with_any_part_of_a_step(plan: Plan, change: dict[str, Any]) -> None:
    for number, step in enumerate(plan.steps):
        spoiled = step.model_copy(update=change)
        if spoiled != step:
            steps = (*plan.steps[:number], spoiled, *plan.steps[number + 1 :])
            assert plan.model_copy(update={"steps": steps}).sha256 != plan.sha256


def test_the_hash_changes_with_the_order_of_steps(plan: Plan) -> None:
    assert plan.model_copy(update={"steps": plan.steps[::-1]}).sha256 != plan.sha256


def test_the_approver_reads_the_whole_plan(plan: Plan) -> None:
    lines = plan.to_markdown().splitlines()
    assert lines[:HEAD] == [
        "**unplanned cutover of acme: berlin → newyork**",
        "",
        "- recovery point `20261125T025500Z-55d41569`, state of 2026-11-25 02:55:00 UTC: "
        "whatever the primary did in the last 5 min 0 s before this plan is lost",
        "- requested by ada: berlin burns",
        f"- epoch 4 → 5; plan `{plan.sha256[:16]}`",
        "- if berlin cannot be reached: the cutover stops at the fence",
        "",
    ]
    assert len(lines) == HEAD + len(plan.steps)
    assert lines[HEAD].startswith("1. **fence** at berlin: set epoch 5 at newyork; ")
    assert lines[-1].startswith("12. **promote** at newyork: ")


def test_the_approver_reads_times_in_utc(plan: Plan) -> None:
    berlin = timezone(timedelta(hours=1))
    shown = plan.model_copy(update={"point_opened_at": plan.point_opened_at.astimezone(berlin)})
    assert "state of 2026-11-25 02:55:00 UTC: " in shown.to_markdown()


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("fire.\n\n- recovery point `newest`: nothing is lost", "fire. - recovery point \\`newest\\`: nothing is lost"),
        ("a\r\nb\u2028c\u202ed\x00e", "a b c d e"),
        (
            "**bold** _it_ ~no~ <b> [x](y) a|b &amp; \\",
            "\\*\\*bold\\*\\* \\_it\\_ \\~no\\~ \\<b\\> \\[x\\](y) a\\|b \\&amp; \\\\",
        ),
        ("  Brand in Halle 3 - Straße gesperrt!  ", "Brand in Halle 3 - Straße gesperrt!"),
    ],
    ids=["a line of its own", "control characters", "markup", "plain words"],
)
def test_a_reason_cannot_pose_as_part_of_the_plan(plan: Plan, reason: str, shown: str) -> None:
    lines = plan.model_copy(update={"reason": reason}).to_markdown().splitlines()
    assert lines[3] == f"- requested by ada: {shown}"
    assert len(lines) == HEAD + len(plan.steps)


@given(reason=st.text(), requested_by=st.text())
def test_no_words_add_a_line_to_the_plan(plan: Plan, reason: str, requested_by: str) -> None:
    shown = plan.model_copy(update={"reason": reason, "requested_by": requested_by}).to_markdown()
    assert len(shown.splitlines()) == HEAD + len(plan.steps)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 min 0 s"), (59.9, "0 min 59 s"), (61, "1 min 1 s"), (7200, "120 min 0 s"), (-5, "0 min 0 s")],
)
def test_the_loss_is_told_in_minutes_and_seconds(seconds: float, told: str) -> None:
    sentence = loss_sentence(AT, AT + timedelta(seconds=seconds))
    assert sentence == f"whatever the primary did in the last {told} before this plan is lost"


def test_a_complete_request_is_accepted() -> None:
    ensure_acceptable(request())
    ensure_acceptable(request(created_at=AT + MAX_WAIT))
    ensure_acceptable(request(target="berlin", confirmation=confirmation_phrase("berlin")))


@pytest.mark.parametrize(
    "confirmation",
    ["", "PROMOTE", "promote newyork", "PROMOTE berlin", "PROMOTE newyork ", "PROMOTE  newyork", "newyork"],
)
def test_the_confirmation_is_typed_out_to_the_letter(confirmation: str) -> None:
    with pytest.raises(PreconditionError) as refused:
        ensure_acceptable(request(confirmation=confirmation))
    assert f"the confirmation must read 'PROMOTE newyork', not {confirmation!r}" in refused.value.what
    assert refused.value.where == "run manual__1"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"reason": ""}, "a reason is missing"),
        ({"reason": " \n"}, "a reason is missing"),
        ({"requested_by": ""}, "it is not known who triggered the run"),
        ({"requested_by": "  "}, "it is not known who triggered the run"),
        ({"created_at": AT + MAX_WAIT + timedelta(seconds=1)}, "the run waited 15 minutes in the queue"),
        ({"created_at": AT + timedelta(hours=2)}, "the run waited 120 minutes in the queue"),
    ],
)
def test_what_is_missing_is_named(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(PreconditionError) as refused:
        ensure_acceptable(request(**changed))
    assert told in refused.value.what
    assert refused.value.fix == "Nothing was changed; trigger the cutover again with a complete form."


def test_every_fault_of_an_empty_form_is_named_at_once() -> None:
    empty = request(confirmation="", reason="", requested_by="", created_at=AT + timedelta(days=1))
    with pytest.raises(PreconditionError) as refused:
        ensure_acceptable(empty)
    assert refused.value.what.count("; ") == 4
    for told in ("waited", "confirmation", "reason", "who triggered"):
        assert told in refused.value.what


def test_a_mode_is_one_of_the_known() -> None:
    assert parse_mode("unplanned") is Mode.UNPLANNED
    for text in ("", "UNPLANNED", "yolo"):
        with pytest.raises(PreconditionError, match=f"there is no mode {text!r}, only planned, unplanned, failback"):
            parse_mode(text)


def test_neither_plan_nor_step_nor_request_can_be_changed(plan: Plan) -> None:
    for frozen in (plan, plan.steps[0], request()):
        name = next(iter(type(frozen).model_fields))
        with pytest.raises(ValidationError, match="frozen"):
            setattr(frozen, name, getattr(frozen, name))


@pytest.mark.parametrize("late", [-MAX_SKEW, timedelta(0), timedelta(hours=1) + MAX_WAIT])
def test_a_plan_holds_as_long_as_an_answer_may_take(plan: Plan, late: timedelta) -> None:
    ensure_plan_fresh(plan, AT + late, timedelta(hours=1))


@pytest.mark.parametrize(
    ("late", "minutes"),
    [(timedelta(hours=1, seconds=1) + MAX_WAIT, 75), (timedelta(days=3), 4320), (timedelta(hours=-1), -60)],
)
def test_a_plan_that_is_too_old_is_refused(plan: Plan, late: timedelta, minutes: int) -> None:
    with pytest.raises(PreconditionError, match=f"made {minutes} minutes ago, at 2026-11-25 03:00:00 UTC"):
        ensure_plan_fresh(plan, AT + late, timedelta(hours=1))
