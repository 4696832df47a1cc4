"""Every file is read within the number of days, whichever days are missed, and none is read all the time."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.dr.sampling import slot_of, slots

PATHS = st.lists(st.binary(min_size=1, max_size=30), max_size=50)
DAYS = st.integers(1, 40)


@given(PATHS, DAYS, st.integers(0, 30_000))
def test_all_is_read_once_in_that_many_days(paths: list[bytes], days: int, first: int) -> None:
    read = Counter(
        path
        for day in range(first, first + days)
        for path in set(paths)
        if slot_of(path, days) in slots(day, days, day - 1)
    )
    assert read == Counter(set(paths))


@given(PATHS, DAYS, st.integers(0, 30_000), st.sets(st.integers(1, 60), min_size=1))
def test_missed_days_are_caught_up(paths: list[bytes], days: int, first: int, ran: set[int]) -> None:
    """Whenever a compare runs, what was due since the one before is read, so nothing gets older than promised."""
    last, read_on = first, dict.fromkeys(paths, first)
    for day in (first + after for after in sorted(ran)):
        due = slots(day, days, last)
        read_on.update({path: day for path in paths if slot_of(path, days) in due})
        assert all(day - at < days for at in read_on.values())
        last = day


@given(DAYS, st.integers(0, 30_000))
def test_the_first_compare_and_a_second_one_on_the_same_day_read_one_slot(days: int, today: int) -> None:
    assert slots(today, days) == slots(today, days, today) == slots(today, days, today + 5) == {today % days}


@pytest.mark.parametrize(
    ("last", "due"), [(99, {2}), (98, {1, 2}), (93, {3, 4, 5, 6, 0, 1, 2}), (50, {0, 1, 2, 3, 4, 5, 6})]
)
def test_a_gap_costs_what_was_not_read_and_never_more_than_all(last: int, due: set[int]) -> None:
    assert slots(100, 7, last) == due


def test_one_day_reads_all() -> None:
    assert slots(100, 1) == {0}
    assert slot_of(b"anything", 1) == 0


def test_slots_are_about_equally_full() -> None:
    paths = [b"acme/compacted/table%d/part-%05d.parquet" % (number % 50, number) for number in range(20_000)]
    sizes = Counter(slot_of(path, 10) for path in paths).values()
    assert len(sizes) == 10
    assert max(sizes) - min(sizes) < 300
