"""Which recovery points stay, and why: a policy held against the points there are.

A point stays when any rule of the policy wants it; the rules only ever add. A tier divides time since 1970 into slots
of equal length and keeps the **oldest** point of each slot: the first of an hour stays the first whatever comes later,
so a point that was chosen once stays chosen until it leaves the tier, and hourly, daily and weekly tiers choose from
each other's. What is dropped now would be dropped later too.

Above the policy there is what is never dropped: the newest point, the newest whose files are proven to be what was
sealed, the one that the live replica is, what a person pinned, and what something under way needs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol, Self

from pydantic import Field, model_validator

from incorta_provider.dr.durations import Duration, in_words
from incorta_provider.dr.frozen import FrozenModel

_START = datetime(1970, 1, 1, tzinfo=UTC)


class Datable(Protocol):
    """What the policy needs to know of a point."""

    @property
    def id(self) -> str:
        """The id, which sorts by time."""

    @property
    def opened_at(self) -> datetime:
        """The moment that the point is a state of."""


class Tier(FrozenModel):
    """For how long one point of each slot stays.

    :ivar within: how far back the tier reaches from now.
    :ivar every: the length of a slot; ``all`` keeps every point.
    """

    within: Duration
    every: Duration | Literal["all"] = "all"

    @model_validator(mode="after")
    def _slots_fit(self) -> Self:
        if self.every != "all" and self.every > self.within:
            raise ValueError(f"a tier that reaches back {in_words(self.within)} has no slot of {in_words(self.every)}")
        return self

    def in_words(self) -> str:
        """Return the tier in words."""
        each = "every point" if self.every == "all" else f"one point each {in_words(self.every)}"
        return f"{each} for {in_words(self.within)}"


class Retention(FrozenModel):
    """What stays. The defaults keep generously: every point for two days, one an hour for two weeks, one a day for a
    quarter, and never fewer than ten.

    :ivar count: this many of the newest stay, however old they are.
    :ivar age: points younger than this stay.
    :ivar tiers: one point a slot stays, see :class:`Tier`.
    """

    count: int = Field(default=10, ge=1)
    age: Duration | None = None
    tiers: tuple[Tier, ...] = (
        Tier(within=timedelta(days=2)),
        Tier(within=timedelta(days=14), every=timedelta(hours=1)),
        Tier(within=timedelta(days=90), every=timedelta(days=1)),
    )


@dataclass(frozen=True, slots=True)
class Protected:
    """What no policy drops.

    :param live: the point that the live replica is.
    :param good: the newest point whose files are proven to be what was sealed.
    :param pins: pinned points, each with the reason that a person gave.
    :param in_use: points that something under way needs, each with what that is.
    """

    live: str | None = None
    good: str | None = None
    pins: Mapping[str, str] = field(default_factory=dict)
    in_use: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one point stays, and the reason in words."""

    point_id: str
    keep: bool
    reason: str


def judge(policy: Retention, points: Iterable[Datable], now: datetime, protected: Protected) -> list[Verdict]:
    """Return a verdict for each point, oldest first."""
    ordered = sorted(points, key=lambda point: (point.opened_at, point.id))
    keepers = [(tier, _oldest_of_slots(tier, ordered)) for tier in policy.tiers]
    verdicts = []
    for place, point in enumerate(ordered):
        reason = (
            _protection(point, protected, is_newest=place == len(ordered) - 1)
            or _wanted_by_number(policy, newer=len(ordered) - 1 - place)
            or _wanted_by_time(policy, point, now, keepers)
        )
        verdicts.append(Verdict(point.id, reason is not None, reason or _too_old(policy, point, now)))
    return verdicts


def _protection(point: Datable, protected: Protected, *, is_newest: bool) -> str | None:
    if point.id in protected.pins:
        return f"pinned: {protected.pins[point.id]}"
    if point.id in protected.in_use:
        return f"in use: {protected.in_use[point.id]}"
    if point.id == protected.live:
        return "the live replica is this point"
    if is_newest:
        return "the newest point"
    if point.id == protected.good:
        return "the newest point whose files are proven whole"
    return None


def _wanted_by_number(policy: Retention, *, newer: int) -> str | None:
    return f"one of the newest {policy.count}" if newer < policy.count else None


def _wanted_by_time(
    policy: Retention, point: Datable, now: datetime, keepers: Sequence[tuple[Tier, Collection[str]]]
) -> str | None:
    age = now - point.opened_at
    if policy.age is not None and age <= policy.age:
        return f"younger than {in_words(policy.age)}"
    return next((tier.in_words() for tier, kept in keepers if age <= tier.within and point.id in kept), None)


def _oldest_of_slots(tier: Tier, ordered: Sequence[Datable]) -> Collection[str]:
    """Return the oldest point of each slot, over all points: who is the oldest does not depend on the time now."""
    if tier.every == "all":
        return frozenset(point.id for point in ordered)
    first: dict[int, str] = {}
    for point in ordered:
        first.setdefault((point.opened_at - _START) // tier.every, point.id)
    return frozenset(first.values())


def _too_old(policy: Retention, point: Datable, now: datetime) -> str:
    rules = [f"the newest {policy.count}"]
    rules += [f"younger than {in_words(policy.age)}"] if policy.age is not None else []
    rules += [tier.in_words() for tier in policy.tiers]
    return f"{in_words(_whole_minutes(now - point.opened_at))} old, and none of: {'; '.join(rules)}"


def _whole_minutes(age: timedelta) -> timedelta:
    return age - age % timedelta(minutes=1)
