from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.dr.definers import (
    definer_of,
    parse_account,
    printed,
    replace_account,
    replace_definer,
    with_account,
)

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
        ({"app@%": "invoker"}, "`app`@`%`"),
        ({"app@%": "incorta@%, invoker"}, "`incorta`@`%`"),
    ],
)
def test_only_the_objects_own_definer_is_replaced(rules: dict[str, str], expected: str) -> None:
    assert with_account(ROUTINE, rules) == ROUTINE.replace("`app`@`%`", expected, 1)
    assert replace_account("`app`@`%`", rules) == expected


@pytest.mark.parametrize("kind", ["TRIGGER `t` BEFORE INSERT ON `x`", "EVENT `e` ON SCHEDULE EVERY 1 DAY"])
def test_what_always_runs_as_its_definer_is_left_by_a_rule_that_says_invoker(kind: str) -> None:
    definition = f"CREATE DEFINER=`app`@`%` {kind} DO SELECT 'SQL SECURITY DEFINER VIEW '"
    assert replace_definer(definition, {"*": "invoker"}) == definition
    assert replace_definer(definition, {"*": "x@%, invoker"}) == definition.replace("`app`", "`x`")


def test_a_view_keeps_its_account_and_runs_as_who_uses_it() -> None:
    view = "CREATE ALGORITHM=UNDEFINED DEFINER=`app`@`%` SQL SECURITY DEFINER VIEW `v` AS select 1 AS `1`"
    assert replace_definer(view, {"app@%": "invoker"}) == view.replace("SECURITY DEFINER", "SECURITY INVOKER")
    assert replace_definer(view, {"app@%": "app@%"}) == view


def test_a_routine_made_under_ansi_quotes_keeps_its_quotes() -> None:
    """So a server prints it whatever the session's own mode is, and so it is compared."""
    routine = 'CREATE DEFINER="a""p"@"%" PROCEDURE "p"(a int)\nselect 1'
    assert definer_of(routine) == ('a"p', "%")
    assert replace_definer(routine, {'a"p@%': 'in"corta@%'}) == routine.replace('"a""p"', '"in""corta"')
    assert replace_definer(routine, {"*": "role"}) == routine.replace('"a""p"@"%"', '"role"')
    assert replace_definer(routine, {"*": "invoker"}) == routine.replace("\n", "\n    SQL SECURITY INVOKER\n")


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
    with pytest.raises(ValueError, match="is not an account: write user@host"):
        parse_account(text)
