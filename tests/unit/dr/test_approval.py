"""An approval opens exactly what was approved, by exactly two persons, and nothing else opens anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from incorta_provider.dr.approval import APPROVE, REJECT, Approval, ensure_second_person, same_person
from incorta_provider.exceptions import ApprovalError

KEY = b"a key that only the workers know"
AT = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
PLAN = "ab" * 32
FIELDS: dict[str, Any] = {
    "group": "acme",
    "run_id": "manual__1",
    "plan_sha256": PLAN,
    "recovery_point": "20261125T025500Z-55d41569",
    "target": "newyork",
    "requested_by": "ada",
    "approved_by": "bob",
    "approved_at": AT,
    "expires_at": AT + timedelta(hours=1),
    "clear_number": 1,
    "nonce": "00ff",
}
NOTHING_CHANGED = "Nothing was changed; trigger the cutover again if it is still wanted."


def approval(**changed: Any) -> Approval:
    return Approval(**(FIELDS | changed))


POINT = FIELDS["recovery_point"]


def verify(
    given_approval: Approval,
    *,
    key: bytes = KEY,
    run_id: str = "manual__1",
    plan_sha256: str = PLAN,
    recovery_point: str = POINT,
) -> None:
    given_approval.verify(key, run_id=run_id, plan_sha256=plan_sha256, recovery_point=recovery_point)


def test_what_was_signed_is_accepted() -> None:
    verify(approval().signed(KEY))


def test_the_signature_is_the_same_for_the_same_fields_and_key() -> None:
    signature = approval().signed(KEY).signature
    assert len(bytes.fromhex(signature)) == 32
    assert approval(signature="old").signed(KEY).signature == signature
    assert approval().signed(KEY + b"!").signature != signature


@pytest.mark.parametrize("name", [name for name in Approval.model_fields if name != "signature"])
def test_one_changed_field_breaks_the_signature(name: str) -> None:
    signed = approval().signed(KEY)
    value = getattr(signed, name)
    steps = {datetime: timedelta(microseconds=1), int: 1}
    changed = value + steps.get(type(value), "x")
    with pytest.raises(ApprovalError, match="the approval's signature is not valid") as refused:
        verify(signed.model_copy(update={name: changed}))
    assert refused.value.fix == NOTHING_CHANGED


@pytest.mark.parametrize("signature", ["", "0" * 64, "ünvalid", "\x00"])
def test_a_signature_that_is_not_ours_is_refused(signature: str) -> None:
    with pytest.raises(ApprovalError, match="the approval's signature is not valid"):
        verify(approval(signature=signature))


def test_the_signature_is_refused_in_another_spelling_or_under_another_key() -> None:
    signed = approval().signed(KEY)
    for forged in (signed.signature.upper(), signed.signature + "0", signed.signature[:-1], f" {signed.signature}"):
        with pytest.raises(ApprovalError, match="signature is not valid"):
            verify(signed.model_copy(update={"signature": forged}))
    with pytest.raises(ApprovalError, match="signature is not valid"):
        verify(signed, key=b"another key")


def test_a_valid_approval_of_another_run_opens_nothing() -> None:
    with pytest.raises(ApprovalError, match="the approval is for run manual__1, not for manual__2"):
        verify(approval().signed(KEY), run_id="manual__2")


def test_a_valid_approval_of_another_point_opens_nothing() -> None:
    with pytest.raises(ApprovalError, match=f"the approval is for point {POINT}, not for another"):
        verify(approval().signed(KEY), recovery_point="another")


def test_an_approval_opens_in_the_round_in_which_it_was_given() -> None:
    approval().ensure_round(1)
    for other in (0, 2):
        with pytest.raises(ApprovalError, match=rf"was cleared since it was approved \(then 1 times, now {other}\)"):
            approval().ensure_round(other)


def test_a_plan_that_changed_after_the_approval_is_refused() -> None:
    with pytest.raises(ApprovalError, match="the plan changed after it was approved"):
        verify(approval().signed(KEY), plan_sha256="cd" * 32)


@pytest.mark.parametrize("approver", ["ada", "ADA", " ada", "ada\t", "\uff21\uff24\uff21"])
def test_a_signature_does_not_make_one_person_two(approver: str) -> None:
    with pytest.raises(ApprovalError, match="approved their own request"):
        verify(approval(approved_by=approver).signed(KEY))


def test_an_approval_is_fresh_up_to_its_last_moment() -> None:
    approval().ensure_fresh(AT + timedelta(hours=1))
    with pytest.raises(ApprovalError) as refused:
        approval().ensure_fresh(AT + timedelta(hours=1, microseconds=1))
    assert refused.value.what == "the approval expired at 2026-11-25 04:00:00 UTC"
    assert refused.value.where == "run manual__1"


def test_the_expiry_is_told_in_utc_whatever_the_zone_it_was_given_in() -> None:
    in_new_york = (AT + timedelta(hours=1)).astimezone(timezone(timedelta(hours=-5)))
    with pytest.raises(ApprovalError, match="expired at 2026-11-25 04:00:00 UTC"):
        approval(expires_at=in_new_york).ensure_fresh(AT + timedelta(hours=2))


@pytest.mark.parametrize("wrong", [{"approved_at": datetime(2026, 1, 1)}, {"surprise": "x"}])
def test_an_approval_with_a_naive_time_or_an_unknown_field_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        approval(**wrong)


def test_an_approval_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        approval().approved_by = "eve"  # type: ignore[misc]


zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=zones)


@given(
    texts=st.lists(st.text(), min_size=8, max_size=8),
    approved_at=times,
    expires_at=times,
    key=st.binary(min_size=1),
)
def test_the_signature_survives_the_file(
    texts: list[str], approved_at: datetime, expires_at: datetime, key: bytes
) -> None:
    names = [name for name, value in FIELDS.items() if isinstance(value, str)]
    fields = dict(zip(names, texts, strict=True)) | {"approved_at": approved_at, "expires_at": expires_at}
    signed = Approval(**fields).signed(key)
    read_back = Approval.model_validate_json(signed.model_dump_json())
    assert read_back.signed(key).signature == signed.signature


@given(first=st.lists(st.text(), min_size=8, max_size=8), second=st.lists(st.text(), min_size=8, max_size=8))
def test_two_different_approvals_never_share_a_signature(first: list[str], second: list[str]) -> None:
    """Also not when text moves from one field to the next."""
    names = [name for name, value in FIELDS.items() if isinstance(value, str)]
    one, other = (approval(**dict(zip(names, texts, strict=True))).signed(KEY) for texts in (first, second))
    assert (one.signature == other.signature) == (first == second)


def test_the_name_of_the_second_person_is_returned() -> None:
    assert ensure_second_person("ada", "bob", [APPROVE], run_id="r") == "bob"
    assert ensure_second_person("ada", " bob ", [APPROVE], run_id="r") == "bob"


@pytest.mark.parametrize(
    ("requested_by", "answered_by", "chosen", "told"),
    [
        (None, "bob", [APPROVE], "it is not known who triggered the cutover"),
        ("", "bob", [APPROVE], "it is not known who triggered the cutover"),
        ("  ", "bob", [APPROVE], "it is not known who triggered the cutover"),
        ("ada", None, [REJECT], "nobody answered in time; silence is a refusal"),
        ("ada", None, [APPROVE], "nobody answered in time; silence is a refusal"),
        ("ada", "", [APPROVE], "nobody answered in time; silence is a refusal"),
        ("ada", " \t", [APPROVE], "nobody answered in time; silence is a refusal"),
        ("ada", "bob", [REJECT], "bob answered Reject"),
        ("ada", "bob", [], "bob answered nothing"),
        ("ada", "bob", ["approve"], "bob answered approve"),
        ("ada", "bob", ["Approve "], "bob answered Approve "),
        ("ada", "bob", [APPROVE, APPROVE], "bob answered Approve, Approve"),
        ("ada", "bob", [APPROVE, REJECT], "bob answered Approve, Reject"),
        ("ada", "ada", [APPROVE], "ada triggered the cutover and must not approve it"),
        ("ada", "Ada ", [APPROVE], "Ada triggered the cutover and must not approve it"),
        (" ADA", "ada", [APPROVE], "ada triggered the cutover and must not approve it"),
        ("straße", "STRASSE", [APPROVE], "STRASSE triggered the cutover and must not approve it"),
    ],
)
def test_everything_else_is_a_refusal(
    requested_by: str | None, answered_by: str | None, chosen: list[str], told: str
) -> None:
    with pytest.raises(ApprovalError) as refused:
        ensure_second_person(requested_by, answered_by, chosen, run_id="manual__1")
    assert (refused.value.what, refused.value.where) == (told, "run manual__1")
    assert refused.value.fix == NOTHING_CHANGED


answers = st.one_of(st.just([APPROVE]), st.lists(st.sampled_from([APPROVE, REJECT, "approve", ""]) | st.text()))
names = st.one_of(st.none(), st.sampled_from(["ada", "ADA ", "bob", "", " "]), st.text())


@given(requested_by=names, answered_by=names, chosen=answers)
def test_success_is_a_closed_list(requested_by: str | None, answered_by: str | None, chosen: list[str]) -> None:
    known = bool((requested_by or "").strip()) and bool((answered_by or "").strip())
    allowed = known and chosen == ["Approve"] and not same_person(requested_by or "", answered_by or "")
    try:
        approver = ensure_second_person(requested_by, answered_by, chosen, run_id="r")
    except ApprovalError:
        assert not allowed
    else:
        assert allowed
        assert approver == (answered_by or "").strip()


@given(name=st.text(alphabet=st.characters(max_codepoint=0x24F)), blanks=st.text(alphabet=" \t\n\r\u00a0", max_size=3))
def test_case_and_blanks_never_make_two_persons(name: str, blanks: str) -> None:
    assert same_person(name, blanks + name + blanks)
    assert same_person(name, name.casefold())


@pytest.mark.parametrize(
    ("one", "other"),
    [("jose\u0301", "jos\u00e9"), ("\uff42ob", "bob"), ("\ufb01n", "fin"), ("\u00c5", "\u212b"), ("ß", "SS")],
)
def test_the_spelling_of_a_letter_never_makes_two_persons(one: str, other: str) -> None:
    assert same_person(one, other)
    assert same_person(other, one)


@pytest.mark.parametrize(("one", "other"), [("ada", "bob"), ("ada", "ad a"), ("ada", "adá"), ("ada", "")])
def test_other_names_are_other_persons(one: str, other: str) -> None:
    assert not same_person(one, other)
