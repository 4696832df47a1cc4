"""A recovery point tells its age from the start of its sync, and its id sorts by that time."""

from __future__ import annotations

import doctest
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from incorta_provider.dr import recovery_point
from incorta_provider.dr.recovery_point import RecoveryPoint, point_id

Maker = Callable[..., RecoveryPoint]
OPENED = datetime(2026, 11, 25, 2, 55, tzinfo=UTC)


def test_the_age_counts_from_the_start_of_the_sync(point: Maker) -> None:
    assert point().age(OPENED + timedelta(minutes=5)) == 300.0


def test_the_age_is_the_same_in_every_zone(point: Maker) -> None:
    now = (OPENED + timedelta(minutes=5)).astimezone(timezone(timedelta(hours=-5)))
    assert point().age(now) == 300.0


def test_the_summary_says_what_the_point_holds_and_what_it_cost(point: Maker) -> None:
    assert point().summary() == (
        "recovery point 20261125T025500Z-55d41569: 120 files (4096 bytes), 9 tables, 300 rows, epoch 1; "
        "copied 7 files (512 bytes) in 12.3 s"
    )
    assert point(exceptions=("a", "b")).summary().endswith("in 12.3 s, 2 exception(s)")


def test_a_point_survives_its_file(point: Maker) -> None:
    written = point(previous="20261125T025000Z-0badcafe", references=None, exceptions=("left out: a",))
    assert RecoveryPoint.model_validate_json(written.model_dump_json()) == written


@pytest.mark.parametrize("name", [name for name in RecoveryPoint.model_fields if name != "exceptions"])
def test_a_file_that_lacks_a_field_is_no_point(point: Maker, name: str) -> None:
    fields = point().model_dump()
    del fields[name]
    with pytest.raises(ValidationError):
        RecoveryPoint.model_validate(fields)


@pytest.mark.parametrize("wrong", [{"opened_at": datetime(2026, 1, 1)}, {"surprise": 1}, {"files": "many"}])
def test_a_point_that_makes_no_sense_is_refused(point: Maker, wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RecoveryPoint.model_validate(point().model_dump() | wrong)


def test_a_point_cannot_be_changed(point: Maker) -> None:
    with pytest.raises(ValidationError):
        point().files = 0  # type: ignore[misc]


def test_the_example_in_the_documentation_holds() -> None:
    assert doctest.testmod(recovery_point) == (0, 1)


times = st.datetimes(
    min_value=datetime(1990, 1, 1),
    max_value=datetime(2200, 1, 1),
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)


@given(first=times, second=times, run_id=st.text(max_size=20))
def test_ids_sort_by_the_time_in_utc(first: datetime, second: datetime, run_id: str) -> None:
    one, other = first.astimezone(UTC).replace(microsecond=0), second.astimezone(UTC).replace(microsecond=0)
    assert (point_id(first, run_id) < point_id(second, run_id)) == (one < other)


@given(opened_at=times, run_id=st.text(), other=st.text())
def test_the_same_run_gets_the_same_id_and_another_run_another(opened_at: datetime, run_id: str, other: str) -> None:
    found = point_id(opened_at, run_id)
    assert found == point_id(opened_at.astimezone(UTC), run_id)
    assert (found == point_id(opened_at, other)) == (run_id == other)
    assert len(found) == 25
    assert found.isascii()
    assert not set(found) & set("/\\. ")
