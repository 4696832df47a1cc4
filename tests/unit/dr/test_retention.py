"""The policy keeps what it should, and what it drops it would drop later too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from incorta_provider.dr.durations import in_words, parse_duration
from incorta_provider.dr.retention import Protected, Retention, Tier, Verdict, judge

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Point:
    id: str
    opened_at: datetime


def points(*ages: timedelta) -> list[Point]:
    """Return points of these ages at noon, named by their place."""
    return [Point(f"P{place}", NOON - age) for place, age in enumerate(ages)]


def kept(
    policy: Retention, those: Sequence[Point], now: datetime = NOON, protected: Protected | None = None
) -> list[str]:
    return [verdict.point_id for verdict in judge(policy, those, now, protected or Protected()) if verdict.keep]


def reason(policy: Retention, those: Sequence[Point], point_id: str, protected: Protected | None = None) -> str:
    return next(v.reason for v in judge(policy, those, NOON, protected or Protected()) if v.point_id == point_id)


ONE = Retention(count=1, tiers=())
"""Keeps only the newest."""


class TestRules:
    def test_no_points(self) -> None:
        assert judge(Retention(), [], NOON, Protected()) == []

    def test_the_newest_stays_however_old(self) -> None:
        assert judge(ONE, points(900 * DAY), NOON, Protected()) == [Verdict("P0", True, "the newest point")]

    def test_a_count_keeps_the_newest(self) -> None:
        those = points(*(number * DAY for number in range(1, 6)))
        policy = Retention(count=3, tiers=())
        assert kept(policy, those) == ["P2", "P1", "P0"]
        assert reason(policy, those, "P1") == "one of the newest 3"
        assert reason(policy, those, "P4") == "5 d old, and none of: the newest 3"

    def test_an_age_keeps_what_is_younger(self) -> None:
        those = points(HOUR, 2 * HOUR, 2 * HOUR + timedelta(seconds=1), 3 * HOUR)
        policy = Retention(count=1, age=2 * HOUR, tiers=())
        assert kept(policy, those) == ["P1", "P0"]
        assert reason(policy, those, "P1") == "younger than 2 h"

    def test_a_tier_keeps_the_oldest_of_each_slot(self) -> None:
        those = [Point(f"{at:%H%M}", at) for at in (NOON - timedelta(minutes=20 * n) for n in range(1, 13))]
        policy = Retention(count=1, tiers=(Tier(within=3 * HOUR, every=HOUR),))
        assert kept(policy, those) == ["0900", "1000", "1100", "1140"]
        assert reason(policy, those, "0900") == "one point each 1 h for 3 h"

    def test_the_tiers_of_the_order(self) -> None:
        """All for two hours, one an hour for a day, one a day for two weeks; a point each ten minutes."""
        policy = Retention(
            count=1,
            tiers=(Tier(within=2 * HOUR), Tier(within=DAY, every=HOUR), Tier(within=14 * DAY, every=DAY)),
        )
        those = [Point(f"{at:%m%d %H%M}", at) for at in (NOON - timedelta(minutes=10 * n) for n in range(20 * 144))]
        stay = kept(policy, those)
        hours = [f"{NOON - n * HOUR:%m%d %H}00" for n in range(25)]
        days = [f"{NOON - n * DAY:%m%d} 0000" for n in range(14)]
        tens = [f"{NOON - timedelta(minutes=10 * n):%m%d %H%M}" for n in range(13)]
        assert stay == sorted({*hours, *days, *tens})
        assert len(stay) == 25 + 13 - 3 + 14 - 1

    def test_a_point_from_the_future_stays(self) -> None:
        assert kept(Retention(count=1, age=HOUR, tiers=()), points(-2 * HOUR, -HOUR, DAY)) == ["P1", "P0"]

    def test_the_defaults_keep_generously(self) -> None:
        assert [tier.in_words() for tier in Retention().tiers] == [
            "every point for 2 d",
            "one point each 1 h for 2 w",
            "one point each 1 d for 90 d",
        ]
        assert kept(Retention(), points(*(n * 100 * DAY for n in range(1, 13)))) == [
            f"P{n}" for n in reversed(range(10))
        ]


class TestProtected:
    @pytest.mark.parametrize(
        ("protected", "why"),
        [
            (Protected(live="P1"), "the live replica is this point"),
            (Protected(good="P1"), "the newest point whose files are proven whole"),
            (Protected(pins={"P1": "before the upgrade"}), "pinned: before the upgrade"),
            (Protected(in_use={"P1": "cutover manual__1"}), "in use: cutover manual__1"),
        ],
    )
    def test_it_is_never_dropped(self, protected: Protected, why: str) -> None:
        those = points(DAY, 2 * DAY, 3 * DAY)
        assert kept(ONE, those, protected=protected) == ["P1", "P0"]
        assert reason(ONE, those, "P1", protected) == why

    def test_a_reason_that_a_person_gave_comes_first(self) -> None:
        everything = Protected(live="P0", good="P0", pins={"P0": "audit"}, in_use={"P0": "cutover"})
        assert reason(ONE, points(DAY), "P0", everything) == "pinned: audit"

    def test_names_of_points_that_are_gone_mean_nothing(self) -> None:
        gone = Protected(live="X", good="X", pins={"X": "x"}, in_use={"X": "x"})
        assert kept(ONE, points(DAY, 2 * DAY), protected=gone) == ["P0"]


DURATIONS = st.integers(1, 40).map(lambda n: n * timedelta(minutes=30))
EVERY = st.one_of(st.just("all"), DURATIONS)
TIERS = st.tuples(DURATIONS, EVERY).map(
    lambda pair: Tier(within=max(pair[0], pair[1]) if pair[1] != "all" else pair[0], every=pair[1])
)
POLICIES = st.builds(
    Retention,
    count=st.integers(1, 5),
    age=st.one_of(st.none(), DURATIONS),
    tiers=st.lists(TIERS, max_size=3).map(tuple),
)
AGES = st.integers(-60, 60 * 48).map(lambda minutes: timedelta(minutes=minutes))
POINTS = st.lists(AGES, max_size=25).map(lambda ages: points(*ages))
NAMES = st.sampled_from([f"P{n}" for n in range(25)])
PROTECTED = st.builds(
    Protected,
    live=st.one_of(st.none(), NAMES),
    good=st.one_of(st.none(), NAMES),
    pins=st.dictionaries(NAMES, st.just("pin"), max_size=2),
    in_use=st.dictionaries(NAMES, st.just("use"), max_size=2),
)
LATER = st.integers(0, 60 * 72).map(lambda minutes: timedelta(minutes=minutes))


class TestProperties:
    @given(POLICIES, POINTS, PROTECTED)
    def test_each_point_gets_one_verdict_and_a_reason(
        self, policy: Retention, those: list[Point], protected: Protected
    ) -> None:
        verdicts = judge(policy, those, NOON, protected)
        assert sorted(verdict.point_id for verdict in verdicts) == sorted(point.id for point in those)
        assert all(verdict.reason for verdict in verdicts)

    @given(POLICIES, POINTS, PROTECTED)
    def test_pruning_twice_is_pruning_once(self, policy: Retention, those: list[Point], protected: Protected) -> None:
        stay = kept(policy, those, protected=protected)
        assert kept(policy, [point for point in those if point.id in stay], protected=protected) == stay

    @given(POLICIES, POINTS, PROTECTED, LATER)
    def test_what_is_dropped_now_would_be_dropped_later(
        self, policy: Retention, those: list[Point], protected: Protected, later: timedelta
    ) -> None:
        assert set(kept(policy, those, NOON + later, protected)) <= set(kept(policy, those, NOON, protected))

    @given(POLICIES, POINTS, PROTECTED, st.lists(st.integers(1, 600), min_size=1, max_size=8))
    def test_what_is_dropped_now_would_be_dropped_after_new_points(
        self, policy: Retention, those: list[Point], protected: Protected, minutes: list[int]
    ) -> None:
        newest = max([NOON, *(point.opened_at for point in those)])
        new = [Point(f"N{number}", newest + timedelta(minutes=after)) for number, after in enumerate(minutes)]
        old = {point.id for point in those}
        assert old.intersection(kept(policy, [*those, *new], protected=protected)) <= set(
            kept(policy, those, protected=protected)
        )

    @given(POLICIES, POINTS, LATER, LATER)
    def test_how_often_it_is_pruned_between_costs_no_point_of_a_tier(
        self, policy: Retention, those: list[Point], first: timedelta, then: timedelta
    ) -> None:
        """Pruning on the way drops nothing that pruning once at the end would have kept."""
        at_end = kept(policy, those, NOON + first + then)
        between = kept(policy, those, NOON + first)
        assert set(at_end) <= set(kept(policy, [p for p in those if p.id in between], NOON + first + then))

    @given(POLICIES, POINTS, PROTECTED)
    def test_what_is_protected_and_the_newest_stay(
        self, policy: Retention, those: list[Point], protected: Protected
    ) -> None:
        stay = set(kept(policy, those, protected=protected))
        named = {protected.live, protected.good, *protected.pins, *protected.in_use}
        assert {point.id for point in those if point.id in named} <= stay
        if those:
            assert max(those, key=lambda point: (point.opened_at, point.id)).id in stay


class TestSettings:
    def test_durations_are_written_as_people_say_them(self) -> None:
        policy = Retention.model_validate(
            {"count": 3, "age": "90 m", "tiers": [{"within": "2h"}, {"within": "2 w", "every": "1 d"}]}
        )
        assert policy.age == timedelta(minutes=90)
        assert [(tier.within, tier.every) for tier in policy.tiers] == [(2 * HOUR, "all"), (14 * DAY, DAY)]

    @pytest.mark.parametrize(
        ("document", "message"),
        [
            ({"count": 0}, "greater than or equal to 1"),
            ({"age": "0 h"}, "'0 h' is not a duration"),
            ({"age": 3600}, "'3600' is not a duration; write a number and m, h, d or w, such as 2 h or 14 d"),
            ({"age": "2 fortnights"}, "'2 fortnights' is not a duration"),
            ({"tiers": [{"within": "1 d", "every": "often"}]}, "'often' is not a duration"),
            ({"tiers": [{"within": "1 h", "every": "1 d"}]}, "a tier that reaches back 1 h has no slot of 1 d"),
            ({"keep": 3}, "Extra inputs are not permitted"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, document: dict[str, Any], message: str) -> None:
        with pytest.raises(ValidationError) as refused:
            Retention.model_validate(document)
        assert message in str(refused.value)

    @given(st.integers(1, 100_000))
    def test_a_duration_is_read_as_it_is_told(self, minutes: int) -> None:
        duration = timedelta(minutes=minutes)
        assert parse_duration(in_words(duration)) == duration
