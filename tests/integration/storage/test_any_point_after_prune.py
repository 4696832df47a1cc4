"""Whatever happened to the source, whatever is dropped, whatever way is taken: each point that stays comes back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.storage.vault.prune import Freed, drop, forget_bytes, sweep
from tests.builders.storage import EPOCH, Pair, snapshot
from tests.integration.storage.test_any_point import CHANGES, LOTS, ROUNDS, Change, change, ensure_is, lent_pair, seal


def prune(pair: Pair, going: set[int]) -> Freed:
    """Drop points; never the newest, nor the one that the replica is."""
    freed, points = Freed(), pair.catalog.points()
    for point in points[:-1]:
        if int(point.id[1:]) in going and point.id != pair.catalog.live_point_id():
            drop(pair.catalog, point, reason="too old", by="dana", run_id="prune", at=EPOCH)
    forget_bytes(pair.catalog, pair.target, freed)
    sweep(pair.catalog, pair.target)
    return freed


@LOTS
@given(
    rounds=ROUNDS,
    between=st.lists(CHANGES, max_size=3),
    applied=st.sets(st.integers(0, 3)),
    first=st.sets(st.integers(0, 3)),
    second=st.sets(st.integers(0, 3)),
    way=st.lists(st.integers(0, 3), min_size=1, max_size=6),
)
def test_every_point_that_stays_is_reached_from_every_other(
    rounds: list[list[Change]],
    between: list[Change],
    applied: set[int],
    first: set[int],
    second: set[int],
    way: list[int],
) -> None:
    with lent_pair() as pair:
        for number, steps in enumerate(rounds):
            change(pair.source, steps)
            seal(pair, number, between)
            if number in applied:
                pair.apply(f"P{number}")
        for going in (first, second):
            prune(pair, going)
            assert pair.catalog.damaged() == {}
            left = [int(point.id[1:]) for point in pair.catalog.points()]
            for stop in way:
                number = left[stop % len(left)]
                pair.apply(f"P{number}")
                ensure_is(pair, number)
        assert prune(pair, set()).files == 0


@LOTS
@given(rounds=ROUNDS, drift=st.lists(CHANGES, min_size=1, max_size=4))
def test_what_was_written_by_hand_outlives_a_prune(rounds: list[list[Change]], drift: list[Change]) -> None:
    """Nobody else may have it, so only a person deletes it."""
    with lent_pair() as pair:
        for number, steps in enumerate(rounds):
            change(pair.source, steps)
            seal(pair, number, [])
        pair.apply("P0")
        marked: list[Change] = [
            (verb, b"by hand/" + path, b"by hand: " + value) for verb, path, value in drift if verb == "write"
        ]
        change(pair.live, marked)
        by_hand = {facts[2] for facts in snapshot(pair.live).values() if facts[0] == "file"}
        pair.target.apply("P0", suspects=[path for _, path, _ in marked])
        pair.apply(f"P{len(rounds) - 1}")
        prune(pair, set(range(len(rounds))))
        kept = {facts[2] for facts in snapshot(pair.catalog.history).values() if facts[0] == "file"}
        assert {value for _, _, value in marked} & by_hand <= kept
