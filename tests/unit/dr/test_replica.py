"""Positions of replication, and what is wrong with a replica."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.dr.replica import ReplicaState, lacking, problems, ranges, same_position

WELL = ReplicaState(
    source="db.berlin:3306",
    receiving=True,
    applying=False,
    received="0-1-60",
    applied="0-1-57",
    tables="incorta.%",
)
numbers = st.integers(1, 10_000)


def found(state: ReplicaState) -> list[str]:
    return problems(state, source="db.berlin:3306", tables="incorta.%")


@given(st.dictionaries(st.integers(0, 9), st.tuples(numbers, numbers, numbers), min_size=1))
def test_what_a_mariadb_lacks_is_the_difference_of_the_numbers_in_each_domain(
    domains: dict[int, tuple[int, int, int]],
) -> None:
    held = ",".join(f"{domain}-{server}-{seen}" for domain, (server, seen, _) in domains.items())
    wanted = ",".join(f"{domain}-7-{last}" for domain, (_, _, last) in domains.items())
    assert lacking(held, wanted) == sum(max(0, last - seen) for _, seen, last in domains.values())
    assert lacking(wanted, wanted) == 0
    assert lacking("", wanted) == sum(last for _, _, last in domains.values())


@given(st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60)))
def test_what_a_mysql_lacks_are_the_transactions_that_are_in_one_set_only(held: set[int], wanted: set[int]) -> None:
    assert lacking(as_set(held), as_set(wanted)) == len(wanted - held)


def as_set(transactions: set[int]) -> str:
    return "3E11FA47-71CA:" + ":".join(map(str, sorted(transactions))) if transactions else ""


def test_positions_are_the_same_in_any_order_of_domains_and_the_unknown_is_never_the_same() -> None:
    assert same_position("0-1-5,2-3-4", "2-3-4, 0-1-5")
    assert not same_position("0-1-5", "0-2-5"), "another server wrote the last one"
    assert not same_position("", "")
    assert not same_position("0-1-5", "0-1-5,1-1-1")


@given(st.sets(st.integers(1, 60), min_size=1), st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60)))
def test_what_a_mysql_replica_wrote_itself_is_no_position(source: set[int], before: set[int], since: set[int]) -> None:
    """Proofs write there; and the source has some of it since it was the replica of this server."""
    theirs, own = as_set(source), [as_set(each).replace("3E11FA47", "B") for each in (before, before | since)]
    wanted, held = (", ".join(filter(None, (theirs, each))) for each in own)
    assert same_position(held, wanted, own="b-71ca")
    assert lacking(held, wanted) == 0
    assert same_position(held, wanted) == (since <= before)
    assert not same_position(held, as_set(source | {99}), own="b-71ca")


def test_a_tag_counts_by_itself() -> None:
    assert ranges("3E11:1-5:nightly:1-2:7,4F:daily:3") == {
        "3e11": [(1, 5)],
        "3e11:nightly": [(1, 2), (7, 7)],
        "4f:daily": [(3, 3)],
    }
    assert lacking("3e11:1-5", "3e11:1-5:nightly:1-2") == 2


@pytest.mark.parametrize("text", ["0-1", "x", "0-1-5,,abc:", "abc:1-", "abc:1:tag"])
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a position"):
        ranges(text)


def test_each_thing_that_is_wrong_with_a_replica_is_told() -> None:
    assert found(WELL) == []
    assert found(replace(WELL, receiving=False, receive_error="Access denied")) == [
        "Access denied",
        "it is not connected to the source",
    ]
    assert found(replace(WELL, apply_error="Duplicate entry")) == ["Duplicate entry"]
    assert found(replace(WELL, applying=True)) == [
        "it goes on applying by itself, past the recovery point: its server was restarted"
    ]
    assert found(replace(WELL, source="db.paris:3306", tables="")) == [
        "it reads from db.paris:3306, and the active site's server is db.berlin:3306",
        "it takes the tables of all schemas instead of incorta.%",
    ]
