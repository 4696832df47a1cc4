"""Damage, full and read-only targets, runs that stop half-way: nothing is claimed, and nothing is lost."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from incorta_provider.exceptions import ConfigurationError, IntegrityError, PreconditionError
from tests.builders.disks import mounted, remount
from tests.contract.backends import Folder
from tests.contract.between import behind_listing, vanish
from tests.contract.world import World

MIB = 1 << 20


def test_a_damaged_staged_byte(world: World) -> None:
    """Found by the check before the seal, by name."""
    world.source.put(b"a", b"1" * 10_000)
    world.source.put(b"b", b"2" * 10_000)
    world.copy("A", final=True)
    world.site.damage_staged(world.catalog, world.workspace("A"), b"a")
    assert world.check("A") == (b"a",)
    world.say("refused: named")


def test_damage_in_the_replica(world: World) -> None:
    """A changed byte, a lost file and one written by hand are each named by a deep comparison (B51)."""
    for path in (b"a", b"b", b"c"):
        world.source.put(path, path * 100)
    world.replicate("A")
    world.site.damage(b"a")
    world.site.remove(b"b")
    world.site.put(b"by-hand", b"1")
    report = world.verify("A")
    assert (report.different, report.missing, report.unexpected) == ((b"a",), (b"b",), (b"by-hand",))
    world.say("found: each is named")


def test_what_was_written_by_hand_is_no_endless_refusal(world: World) -> None:
    """B51: the next points are applied all the same, and what was written by hand is not lost."""
    world.source.put(b"a", b"1")
    world.source.put(b"t/x", b"1")
    world.replicate("A")
    world.site.put(b"a", b"by hand")
    world.site.put(b"t/y", b"by hand")
    world.source.put(b"a", b"22")
    world.source.put(b"t/y", b"22")
    world.replicate("B")
    world.ensure_equal("B")


def test_a_run_that_stops_half_way(world: World) -> None:
    """Nothing of it is in the replica as its record has it; the next try goes on and ends equal."""
    world.source.put(b"a", b"1")
    world.replicate("A")
    before = world.live()
    for number in range(20):
        world.source.put(b"new-%d" % number, b"2" * 1000)
    world.copy("B", final=False)
    assert world.catalog.live_point_id() == "A"
    if world.site.is_posix:
        assert world.live() == before
    else:
        assert before.items() <= world.live().items()
        world.say("kept as versions: what is staged is the newest version of its key, and an apply puts it in order")
    world.replicate("B")
    world.ensure_equal("B")


def test_a_run_that_is_given_up(world: World) -> None:
    """What it staged is removed, and no later run believes in it."""
    world.source.put(b"a", b"1")
    world.replicate("A")
    world.source.put(b"b", b"2" * 1000)
    world.copy("B", final=True)
    workspace = world.workspace("B")
    assert world.site.staged(world.catalog, workspace) != {}
    world.catalog.discard_others("run of C", world.target.discard)
    assert world.site.staged(world.catalog, workspace) == {}
    world.source.put(b"b", b"3" * 1000)
    world.replicate("C")
    world.ensure_equal("C")


def test_a_damaged_file_that_an_apply_needs(world: World) -> None:
    """The apply is refused before anything is changed."""
    world.source.put(b"a", b"1" * 100)
    world.seal("A")
    world.site.damage_sealed(world.catalog, "A", b"a")
    with pytest.raises(IntegrityError, match=r"nowhere|not in the bucket"):
        world.apply("A")
    assert world.live_contents() == {}
    world.say("refused: named, nothing is changed")


def test_an_unreadable_file_beside_one_that_vanished(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """B45: the unreadable one voids the point, by name; the other one would not."""
    if not isinstance(world.source, Folder):
        world.say("not applicable: rights are of the bucket")
        return
    world.source.put(b"stays", b"1")
    world.source.put(b"unreadable", b"1")
    world.source.put(b"vanishes", b"1")
    behind_listing(world, monkeypatch, lambda: vanish(world, b"vanishes"))
    with nobody_may_read(world.source.at(b"unreadable")), pytest.raises(IntegrityError, match="unreadable"):
        world.seal("A")
    assert world.catalog.points() == []
    world.replicate("A")
    assert set(world.live_contents()) == {b"stays", b"unreadable"}
    world.say("refused: named")


def test_a_full_target(make_world: Callable[[Path], World], place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused before the copy when it is seen, and in the middle of it when it is not; the next run goes on."""
    with mounted(place / "small", "size=200m") as home:
        world = make_world(home)
        if not isinstance(world.site, Folder):
            world.say("not applicable: a bucket has no size")
            return
        world.source.put(b"a", b"1" * MIB)
        world.replicate("A")
        before = world.live()
        world.source.put(b"big", b"2" * 20 * MIB)
        remount(home, "size=80m")
        with pytest.raises(PreconditionError, match="are needed"):
            world.seal("B")
        remount(home, "size=10m")
        with monkeypatch.context() as patched:
            patched.setattr(type(world.target), "ensure_room", lambda *_, **__: None)
            with pytest.raises(PreconditionError, match="no room left"):
                world.seal("B")
        assert (world.live(), [point.id for point in world.catalog.points()]) == (before, ["A"])
        remount(home, "size=200m")
        world.replicate("B")
        world.ensure_equal("B")
        world.say("refused: says what is needed and what is there")


def test_a_read_only_target(make_world: Callable[[Path], World], place: Path) -> None:
    """Refused, with the reason; the replica stays as it is, and the next run goes on."""
    with mounted(place / "small", "size=200m") as home:
        world = make_world(home)
        if not isinstance(world.site, Folder):
            world.say("not applicable: rights are of the bucket")
            return
        world.source.put(b"a", b"1")
        world.replicate("A")
        before = world.live()
        world.source.put(b"b", b"2")
        remount(home, "ro")
        with pytest.raises(ConfigurationError, match="cannot write"):
            world.seal("B")
        assert world.live() == before
        remount(home, "rw")
        world.replicate("B")
        world.ensure_equal("B")
        world.say("refused: says so")


@contextmanager
def nobody_may_read(place: Path) -> Iterator[None]:
    """Make a file unreadable for root too: a file of sysfs that can only be written is mounted over it."""
    subprocess.run(["mount", "--bind", "/sys/bus/cpu/drivers_probe", str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
