from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.dr.definers import definer_of, parse_account, printed, replace_account, replace_definer

accounts = st.tuples(st.text(min_size=1), st.text())
ROUTINE = "CREATE DEFINER=`app`@`%` PROCEDURE `p`()\nSELECT 'DEFINER=`app`@`%`'"


@given(accounts)
def test_what_is_printed_is_read_again(account: tuple[str, str]) -> None:
    assert definer_of(f"CREATE DEFINER={printed(account)} VIEW `v` AS select 1") == account


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, "`app`@`%`"),
        ({"app@localhost": "x@y"}, "`app`@`%`"),
        ({"app@%": "incorta@10.%"}, "`incorta`@`10.%`"),
        ({"app@%": "readers"}, "`readers`"),
        ({"*": "incorta@%"}, "`incorta`@`%`"),
        ({"*": "incorta@%", "app@%": "kept@%"}, "`kept`@`%`"),
        ({"app@%": "odd`name@%"}, "`odd``name`@`%`"),
    ],
)
def test_only_the_objects_own_definer_is_replaced(rules: dict[str, str], expected: str) -> None:
    assert replace_definer(ROUTINE, rules) == ROUTINE.replace("`app`@`%`", expected, 1)
    assert replace_account("`app`@`%`", rules) == expected


def test_a_role_is_named_without_a_host() -> None:
    assert replace_account("`readers`", {"readers": "incorta@%"}) == "`incorta`@`%`"
    assert replace_account("`readers`@`%`", {"readers": "incorta@%"}) == "`readers`@`%`"


@given(accounts, st.dictionaries(st.sampled_from(["a@%", "b@%", "*"]), st.sampled_from(["c@%", "role"])))
def test_rules_that_lead_nowhere_new_settle_at_once(account: tuple[str, str], rules: dict[str, str]) -> None:
    once = replace_account(printed(account), rules)
    assert replace_account(once, {name: new for name, new in rules.items() if name != "*"}) == once


@pytest.mark.parametrize(("text", "expected"), [("a@%", ("a", "%")), ("a@b@c", ("a@b", "c")), ("role", ("role", ""))])
def test_an_account_is_user_and_host(text: str, expected: tuple[str, str]) -> None:
    assert parse_account(text) == expected


@pytest.mark.parametrize("text", ["", "@%"])
def test_nobody_is_no_account(text: str) -> None:
    with pytest.raises(ValueError, match="is no account: write user@host"):
        parse_account(text)
