from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.dr.definers import Account
from incorta_provider.exceptions import PreconditionError
from incorta_provider.metadata.writers import AccountFacts, Membership, Writers, judge_writers

APP, INCORTA, ROOT, FENCE = ("app", "%"), ("incorta", "%"), ("root", "localhost"), ("incorta_dr", "%")
WRITER, LEAD = ("writer", ""), ("lead", "")


def facts(account: Account, *, everywhere: bool = False, is_role: bool = False, locked: bool = False) -> AccountFacts:
    return AccountFacts(account, everywhere, is_role, locked)


def judged(accounts: list[AccountFacts], grants: list[Account], roles: list[Membership] | None = None) -> Writers:
    return judge_writers(accounts, grants, roles or [], login="incorta", me="incorta_dr")


def test_who_has_rights_on_the_schema_is_locked_and_who_has_them_on_everything_is_named() -> None:
    known = [facts(APP), facts(INCORTA), facts(ROOT, everywhere=True), facts(("report", "%"))]
    found = judged(known, [APP, INCORTA])
    assert (found.own, found.administrators) == ((APP, INCORTA), (ROOT,))


def test_incortas_own_account_is_locked_whatever_its_rights_are() -> None:
    found = judged([facts(INCORTA, everywhere=True), facts(("incorta", "10.%"))], [])
    assert (found.own, found.administrators) == ((INCORTA, ("incorta", "10.%")), ())


def test_our_own_account_stays_open_for_every_host() -> None:
    found = judged([facts(FENCE, everywhere=True), facts(("incorta_dr", "localhost"))], [("incorta_dr", "localhost")])
    assert (found.own, found.administrators) == ((), ())


def test_rights_come_through_roles_of_roles() -> None:
    known = [facts(APP), facts(WRITER, is_role=True), facts(LEAD, is_role=True)]
    found = judged(known, [WRITER], [(LEAD, WRITER), (APP, LEAD)])
    assert found.own == (APP,)


def test_what_is_locked_already_is_told_apart() -> None:
    found = judged([facts(APP, locked=True), facts(INCORTA)], [APP, INCORTA])
    assert (found.own, found.open) == ((APP, INCORTA), [INCORTA])


def test_rights_of_everybody_cannot_be_locked() -> None:
    with pytest.raises(PreconditionError, match="everybody may write the schema"):
        judged([facts(APP)], [("PUBLIC", "")])


names = st.sampled_from([APP, INCORTA, ROOT, FENCE, WRITER, LEAD])


@given(st.lists(names), st.lists(st.tuples(names, names)), st.sets(names), st.sets(names))
def test_nobody_who_may_write_is_overlooked(
    grants: list[Account], roles: list[Membership], everywhere: set[Account], locked: set[Account]
) -> None:
    known = [
        facts(each, everywhere=each in everywhere, is_role=each in (WRITER, LEAD), locked=each in locked)
        for each in (APP, INCORTA, ROOT, FENCE, WRITER, LEAD)
    ]
    found = judged(known, grants, roles)
    writing = set(grants) | everywhere
    for _ in known:
        writing |= {member for member, role in roles if role in writing}
    people = writing - {FENCE, WRITER, LEAD}
    assert people <= {*found.own, *found.administrators}
    assert not set(found.own) & set(found.administrators)
    assert {*found.own, *found.administrators} <= people | {INCORTA}
