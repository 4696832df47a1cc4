"""Facts about files: permissions, times, owner."""

from __future__ import annotations

import os

import pytest

from tests.builders.storage import NOBODY
from tests.contract.backends import Folder
from tests.contract.world import World

NS = 1_700_000_000_123_456_789
MODES = (0o644, 0o600, 0o444, 0o755, 0o640, 0o400)
HOUR_NS = 3600 * 10**9


def test_permissions(world: World) -> None:
    """Permission bits of files and folders arrive, and a change of nothing else arrives too."""
    if not isinstance(world.source, Folder):
        world.say("not applicable: objects have no permission bits")
        return
    for mode in MODES:
        world.source.put(b"t/%o" % mode, b"1", mode=mode)
    if not (world.source.tells_modes_and_links or world.site.is_posix):
        world.say("not applicable: SFTP through fsspec does not tell them, and objects have none")
        return
    if not world.source.tells_modes_and_links:
        world.replicate("A")
        assert {found.mode for found in world.site.read().values()} == {0o644, 0o755}
        world.say("kept as 644 for files and 755 for folders: SFTP through fsspec does not tell them")
        return
    world.source.at(b"t").chmod(0o750)
    world.replicate("A")
    world.ensure_equal("A")
    world.source.at(b"t/644").chmod(0o755)
    world.source.at(b"t").chmod(0o755)
    assert world.replicate("B").copied_files == 0
    world.ensure_equal("B")
    world.apply("A")
    if world.site.is_posix:
        assert world.site.read()[b"t/644"].mode == 0o644
        assert world.site.read()[b"t"].mode == 0o750
    else:
        world.say("kept as an entry of the manifest: objects have no permission bits")


def test_set_uid_set_gid_and_sticky_bits(world: World) -> None:
    """Not replicated: without its owner such a bit means something else. Nor are they seen as a change."""
    if not (isinstance(world.source, Folder) and isinstance(world.site, Folder)):
        world.say("not applicable: objects have no permission bits")
        return
    for mode in (0o4755, 0o2755, 0o1755):
        world.source.put(b"t/%o" % mode, b"1", mode=mode)
    world.source.at(b"t").chmod(0o3755)
    assert world.replicate("A").copied_files == 3
    assert all(found.mode is not None and found.mode <= 0o777 for found in world.site.read().values())
    world.source.at(b"t/4755").chmod(0o755)
    assert world.replicate("B").copied_files == 0
    assert all(found.mode is not None and found.mode <= 0o777 for found in world.site.read().values())
    world.say("kept as the other permission bits" if world.source.tells_modes_and_links else "kept as 644 and 755")


def test_times_to_the_nanosecond(world: World) -> None:
    """The time of a file arrives to the nanosecond."""
    if not isinstance(world.source, Folder):
        world.say("not applicable: a bucket sets its own times")
        return
    world.source.put(b"a", b"1", mtime_ns=NS)
    world.source.put(b"old", b"1", mtime_ns=1_000_000_001)
    world.replicate("A")
    world.ensure_equal("A")
    if not world.site.is_posix:
        world.say("kept as an entry of the manifest: a bucket sets its own times")
    elif world.source.time_unit_ns > 1:
        world.say("kept as whole seconds")


@pytest.mark.parametrize("unit", [10**9, 10**6, 10**3])
def test_times_that_one_side_keeps_coarser(world: World, unit: int) -> None:
    """B46: a time that is shown in whole seconds, ms or µs by now is not a change: nothing is copied again."""
    if not isinstance(world.source, Folder):
        world.say("not applicable: a bucket sets its own times")
        return
    world.source.put(b"a", b"1", mtime_ns=NS)
    world.source.put(b"t/x", b"2", mtime_ns=NS + 999)
    world.replicate("A")
    for path in (b"a", b"t/x"):
        place = world.source.at(path)
        coarse = place.stat().st_mtime_ns // unit * unit
        os.utime(place, ns=(coarse, coarse))
    assert world.replicate("B").copied_files == 0
    world.verify("B", deep=False)


def test_a_clock_that_is_an_hour_ahead(world: World) -> None:
    """Times in the future, and then in the past, are times like others: copied once, and a change is seen."""
    if not isinstance(world.source, Folder):
        world.say("not applicable: a bucket sets its own times")
        return
    world.source.put(b"a", b"1")
    ahead = world.source.at(b"a").stat().st_mtime_ns + HOUR_NS
    world.source.put(b"a", b"1", mtime_ns=ahead)
    assert world.replicate("A").copied_files == 1
    assert world.replicate("B").copied_files == 0
    world.source.put(b"a", b"2", mtime_ns=ahead - 2 * HOUR_NS)
    assert world.replicate("C").copied_files == 1
    world.ensure_equal("C")


def test_the_owner(world: World) -> None:
    """Not replicated: what arrives belongs to the account that writes at the target."""
    if not (isinstance(world.source, Folder) and isinstance(world.site, Folder)):
        world.say("not applicable: objects belong to their bucket")
        return
    world.source.put(b"a", b"1")
    if os.geteuid() == 0:
        os.chown(world.source.at(b"a"), NOBODY, NOBODY)
    world.replicate("A")
    world.ensure_equal("A")
    facts = world.site.at(b"a").stat()
    assert (facts.st_uid, facts.st_gid) == (os.geteuid(), os.getegid())
    world.say("kept as the writing account's")
