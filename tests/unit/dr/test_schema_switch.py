"""Which tables a switch moves: from any point between two renames, in both directions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.dr.inventory import Code
from incorta_provider.dr.schema_switch import Holdings, Move, moves, rename_statement
from tests.builders.group import inventory

NAMES = st.sets(st.sampled_from(["a", "b", "c", "A", "odd`name", "x.y"]))
Schemas = dict[str, dict[str, str]]
"""What each schema holds: where each table was made, by its name."""


def start(old: set[str], new: set[str]) -> Schemas:
    return {"live": dict.fromkeys(old, "old"), "next": dict.fromkeys(new, "new"), "previous": {}}


def forward(schemas: Schemas, new: set[str]) -> list[Move]:
    return moves(
        live="live", found=schemas["live"], aside="previous", source="next", waiting=schemas["next"], wanted=new
    )


def backward(schemas: Schemas, old: set[str]) -> list[Move]:
    return moves(
        live="live", found=schemas["live"], aside="next", source="previous", waiting=schemas["previous"], wanted=old
    )


def carry_out(schemas: Schemas, renames: list[Move]) -> None:
    for (schema, name), (other, other_name) in renames:
        assert other_name not in schemas[other], "a rename never meets a table of that name"
        schemas[other][other_name] = schemas[schema].pop(name)


@given(NAMES, NAMES, st.integers(0, 12), st.integers(0, 12))
def test_a_switch_that_was_cut_off_ends_in_either_direction(old: set[str], new: set[str], cut: int, again: int) -> None:
    schemas = start(old, new)
    carry_out(schemas, forward(schemas, new)[:cut])
    carry_out(schemas, forward(schemas, new))
    assert schemas == {"live": dict.fromkeys(new, "new"), "next": {}, "previous": dict.fromkeys(old, "old")}
    assert forward(schemas, new) == []
    carry_out(schemas, backward(schemas, old)[:again])
    carry_out(schemas, backward(schemas, old))
    assert schemas == start(old, new)
    assert backward(schemas, old) == []


@given(NAMES, NAMES, st.integers(0, 12))
def test_a_switch_that_was_cut_off_can_be_taken_back_at_once(old: set[str], new: set[str], cut: int) -> None:
    schemas = start(old, new)
    carry_out(schemas, forward(schemas, new)[:cut])
    carry_out(schemas, backward(schemas, old))
    assert schemas == start(old, new)


@given(NAMES, NAMES, NAMES)
def test_tables_that_came_later_go_aside_with_the_rest(old: set[str], new: set[str], more: set[str]) -> None:
    schemas = start(old, new)
    carry_out(schemas, forward(schemas, new))
    schemas["live"] |= dict.fromkeys(more - new, "later")
    carry_out(schemas, backward(schemas, old))
    assert schemas["live"] == dict.fromkeys(old, "old")
    assert set(schemas["next"]) == new | more


def test_names_are_quoted() -> None:
    assert rename_statement([(("a b", "t`"), ("c.d", "t`"))]) == "RENAME TABLE `a b`.`t``` TO `c.d`.`t```"


def test_views_name_the_schema_that_they_are_made_in() -> None:
    view = Code(definition="CREATE VIEW `v` AS select `incorta`.`f`(1) AS `f`", settings={})
    held = Holdings.of(inventory(T=1).model_copy(update={"views": {"v": view}}), "live")
    assert held.views["v"].definition == "CREATE VIEW `v` AS select `live`.`f`(1) AS `f`"
    assert held.tables == ("T",)


def test_what_stays_as_it_is_is_left_out_by_kind_and_name() -> None:
    code = Code(definition="x", settings={})
    whole = Holdings.of(inventory(), "live").model_copy(
        update={"views": {"a": code, "b": code}, "routines": {"FUNCTION a": code, "PROCEDURE a": code}}
    )
    left = whole.without({"VIEW a", "PROCEDURE a"})
    assert (list(left.views), list(left.routines)) == (["b"], ["FUNCTION a"])
