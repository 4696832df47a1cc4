"""A rewrite is a list of values, bound by one digest, that can be walked back."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.dr.rewriting import CellChange, Rewriting, folded


def change(before: str | None, after: str | None, *, row: str = "1", **fields: Any) -> CellChange:
    made = {"table": "t", "column": "c", "key": {"id": row}, "keyed": True, "binary": False}
    return CellChange(**{**made, "before": before, "after": after, **fields})


def test_changes_of_one_cell_become_one() -> None:
    assert list(folded([change("a", "b"), change("x", "y", row="2"), change("b", "c")])) == [
        change("x", "y", row="2"),
        change("a", "c"),
    ]


def test_a_value_that_ends_where_it_began_is_no_change() -> None:
    assert list(folded([change("a", "b"), change("b", "a")])) == []


def test_a_cell_is_followed_through_a_change_of_its_own_key() -> None:
    steps = [change("a", "b", key={"c": "b"}), change("b", "c", key={"c": "c"})]
    (found,) = folded(steps)
    assert found == change("a", "c", key={"c": "c"})
    assert found.key_before == {"c": "a"}


def test_rows_that_are_alike_stay_two() -> None:
    twins = [change("a", "b", keyed=False)] * 2 + [change("b", "c", keyed=False)] * 2
    assert list(folded(twins)) == [change("a", "c", keyed=False)] * 2


def test_a_change_is_shown_with_its_row_before_and_after() -> None:
    assert str(change(None, "x" * 300, key={"id": "1", "c": "new"})) == (
        f"`t`.`c` where `id` = '1', `c` = NULL:\n  - NULL\n  + '{'x' * 200}…'"
    )
    assert str(change("ff61", "62", binary=True)).endswith("\n  - '\\xffa'\n  + 'b'")


def test_a_summary_shows_no_value() -> None:
    changes = (change("secret", "b"), change("c", "d", row="2"), change("a", "b", table="`u"))
    assert Rewriting(changes=changes).summary() == "2 value(s) in `t`.`c`, 1 value(s) in ```u`.`c`"
    assert Rewriting(changes=()).summary() == "nothing"


texts = st.none() | st.text(max_size=3)
changes = st.lists(st.builds(change, texts, texts, row=st.sampled_from("12")), max_size=6)


@given(changes=changes, data=st.data())
def test_the_digest_is_that_of_the_set_of_changes(changes: list[CellChange], data: st.DataObject) -> None:
    one = Rewriting(changes=tuple(changes))
    assert Rewriting(changes=tuple(data.draw(st.permutations(changes)))).sha256 == one.sha256
    assert Rewriting.model_validate_json(one.model_dump_json()) == one
    assert Rewriting(changes=(*changes, change("p", "q"))).sha256 != one.sha256


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=6))
def test_a_chain_becomes_its_two_ends(values: list[str]) -> None:
    steps = [change(before, after) for before, after in pairwise(values) if before != after]
    ends = [] if values[0] == values[-1] else [change(values[0], values[-1])]
    assert list(folded(steps)) == ends
