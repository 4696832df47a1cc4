"""Retention and repair at each kind of target; what a point needs is never among what is deleted.

No rows of the table: the outcome does not depend on the source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from incorta_provider.storage.mending import mend_replica
from incorta_provider.storage.vault.prune import Freed, drop, forget_bytes, sweep
from tests.builders.storage import EPOCH
from tests.contract.backends import Site, Source
from tests.contract.found import Found
from tests.contract.world import World

Makers = Mapping[str, Callable[[Path], Source]]
States = dict[str, dict[bytes, Found]]


@pytest.fixture(params=["file", "ssh", "s3"])
def at(
    request: pytest.FixtureRequest,
    place: Path,
    make_source: Makers,
    make_site: Mapping[str, Callable[[Path], Site]],
) -> World:
    """Return a folder that is replicated to one kind of target."""
    (place / "home").mkdir()
    world = World(make_source["file"](place / "source"), make_site[request.param](place / "home"))
    world.prepare()
    return world


def make_points(world: World, *, applied: str) -> States:
    """Make five points, and return what each is; some files stay, some change each time, some come and go."""
    states = {}
    for number, point in enumerate("ABCDE"):
        world.source.put(b"same", b"0", mtime_ns=None if number else 10**18)
        world.source.put(b"changes", b"%d" % number * (number + 1))
        world.source.put(b"back", b"%d" % (number % 2))
        world.source.put(b"only-%d/x" % number, b"1")
        if number:
            world.source.remove(b"only-%d" % (number - 1))
        world.seal(point)
        states[point] = world.expected()
        if point in applied:
            world.apply(point)
    return states


def prune(world: World, going: str) -> Freed:
    """Drop points, as the step does."""
    freed = Freed()
    with world.catalog.lock("apply"):
        for point in world.catalog.points():
            if point.id in going:
                drop(world.catalog, point, reason="too old", by="dana", run_id="prune", at=EPOCH)
        forget_bytes(world.catalog, world.target, freed)
        sweep(world.catalog, world.target)
    return freed


def ensure_reached(world: World, states: States, way: str) -> None:
    for point in way:
        world.apply(point)
        assert world.live() == states[point]
        assert world.verify(point).equal


@pytest.mark.parametrize(
    ("at", "applied"),
    [
        *(("file", applied) for applied in ("E", "ABCDE", "BD")),
        *(("s3", applied) for applied in ("E", "ABCDE", "BD")),
        ("ssh", "BD"),
        *(pytest.param("ssh", applied, marks=pytest.mark.chaos) for applied in ("E", "ABCDE")),
    ],
    indirect=["at"],
)
def test_what_stays_is_reached_when_the_rest_is_dropped(at: World, applied: str) -> None:
    states = make_points(at, applied=applied)
    freed = prune(at, "ACD" if applied != "BD" else "AC")
    left = [point.id for point in at.catalog.points()]
    assert left == (["B", "E"] if applied != "BD" else ["B", "D", "E"])
    assert freed.files > 0
    assert at.catalog.damaged() == {}
    again = prune(at, "")
    assert (again.files, again.size) == (0, 0)
    ensure_reached(at, states, "".join(left) + left[0])
    prune(at, "")
    ensure_reached(at, states, "".join(reversed(left)))


def test_what_a_run_has_staged_is_not_touched(at: World) -> None:
    states = make_points(at, applied="ABCDE")
    at.source.put(b"new", b"staged and not sealed")
    at.copy("F", final=False)
    prune(at, "ABCD")
    at.copy("F", final=True)
    assert at.check("F") == ()
    at.seal_checked("F")
    states["F"] = at.expected()
    ensure_reached(at, states, "FEF")


def test_drift_is_mended_from_the_source(at: World) -> None:
    """B51: what is gone or damaged is fetched, unless it is kept here; what was written by hand makes way."""
    at.source.put(b"a", b"1")
    at.source.put(b"t/b", b"damaged later")
    at.source.put(b"t/c", b"2")
    at.replicate("A")
    at.site.put(b"by hand/x", b"3")
    at.site.damage(b"t/b")
    at.site.remove(b"a")
    found = at.verify("A")
    assert (found.missing, found.different) == ((b"a",), (b"t/b",))
    assert b"by hand/x" in found.unexpected
    with at.catalog.lock("apply"):
        mend_replica(at.target, at.catalog, "A", found, [at.source.tree()])
    at.ensure_equal("A")
    assert list((at.catalog.root / "repairs").glob("*")) == []
