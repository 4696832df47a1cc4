from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.dr.inventory import Inventory
from incorta_provider.dr.went_back import went_back
from tests.builders.group import inventory


def at(position: str, gtid: str = "") -> Inventory:
    return inventory().model_copy(update={"position": position, "gtid": gtid})


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (
            at("binlog.000002:10"),
            at("binlog.000002:9"),
            "its binary log is at binlog.000002:9, and was at binlog.000002:10",
        ),
        (at("binlog.000002:10"), at("binlog.000001:99"), "its binary log is at binlog.000001:99"),
        (at("binlog.000009:10"), at("binlog.000010:4"), ""),
        (at("binlog.000009:10"), at("other.000001:4"), ""),
        (at("binlog.000009:10"), at(""), ""),
        (at("binlog.000009:10", "0-1-57"), at("binlog.000001:4", "0-2-58"), ""),
        (
            at("binlog.000001:10", "0-1-57"),
            at("binlog.000002:4", "0-1-50"),
            "7 transaction(s) of 0-1-57 are not in 0-1-50",
        ),
        (at("binlog.000001:10", "0-1-5,3-1-2"), at("binlog.000002:4", "0-1-9"), "2 transaction(s) of "),
        (at("binlog.000002:10", "0-1-57"), at("binlog.000001:4"), "its binary log is at binlog.000001:4"),
    ],
)
def test_a_server_that_is_behind_is_told_in_its_own_numbers(before: Inventory, now: Inventory, said: str) -> None:
    found = went_back(before, now)
    assert found.startswith(said)
    assert bool(found) == bool(said)


places = st.tuples(st.integers(0, 10**7), st.integers(4, 2**40))


@given(places, places)
def test_of_two_places_one_is_behind_unless_they_are_the_same(one: tuple[int, int], other: tuple[int, int]) -> None:
    first, second = (at(f"mysql-bin.{number:06}:{offset}") for number, offset in (one, other))
    assert bool(went_back(first, second)) + bool(went_back(second, first)) == (one != other)
