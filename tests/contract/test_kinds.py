"""What is not a plain file: folders, links, devices; and files that share or save their blocks."""

from __future__ import annotations

import os
import socket

import pytest

from incorta_provider.exceptions import IntegrityError
from tests.contract.backends import Folder
from tests.contract.found import Found
from tests.contract.world import World

MIB = 1 << 20


def posix(world: World) -> Folder | None:
    """Return the source as a folder; None where it is a bucket, which is said."""
    if isinstance(world.source, Folder):
        return world.source
    world.say("not applicable: a bucket has no such thing")
    return None


def test_empty_folders(world: World) -> None:
    """An empty folder is there at the target too."""
    if (source := posix(world)) is None:
        return
    source.put(b"a", b"1")
    source.at(b"empty/deep").mkdir(parents=True)
    world.replicate("A")
    if world.site.is_posix:
        world.ensure_equal("A")
    else:
        world.ensure_equal("A")
        world.say("kept as an entry of the manifest: a bucket has no folders")


def test_links_that_stay_inside(world: World) -> None:
    """A relative link inside the root stays a link, also one that leads nowhere yet."""
    if (source := posix(world)) is None:
        return
    source.put(b"t/x", b"1")
    source.at(b"link").symlink_to("t/x")
    source.at(b"t/up").symlink_to("../link")
    source.at(b"dangling").symlink_to("not/there/yet")
    source.at(b"folder").symlink_to("t")
    if not source.tells_modes_and_links:
        with pytest.raises(IntegrityError, match="link"):
            world.seal("A")
        world.say("refused: named; SFTP through fsspec carries no links")
        return
    world.replicate("A")
    world.ensure_equal("A")
    if world.site.is_posix:
        assert world.site.read()[b"link"] == Found("link", b"t/x")
    else:
        world.say("kept as an entry of the manifest: a bucket has no links")


def test_links_that_lead_outside(world: World) -> None:
    """Refused by name, before anything is published."""
    if (source := posix(world)) is None:
        return
    source.put(b"a", b"1")
    source.at(b"bad").symlink_to("/etc/passwd")
    with pytest.raises(IntegrityError, match="bad leads out" if source.tells_modes_and_links else "bad is a"):
        world.seal("A")
    source.remove(b"bad")
    source.put(b"t/x", b"1")
    source.at(b"t/worse").symlink_to("../../elsewhere")
    with pytest.raises(
        IntegrityError, match="t/worse leads out of the storage" if source.tells_modes_and_links else "t/worse is a"
    ):
        world.seal("A")
    assert world.catalog.points() == []
    world.say("refused: named, with where it leads")


def test_hard_links(world: World) -> None:
    """Two names of one file are two files with the same bytes."""
    if (source := posix(world)) is None:
        return
    source.put(b"a", b"shared")
    source.at(b"b").hardlink_to(source.at(b"a"))
    world.replicate("A")
    world.ensure_equal("A")
    assert world.live_contents() == {b"a": b"shared", b"b": b"shared"}
    world.say("kept as two files")


def test_sparse_files(world: World) -> None:
    """The bytes are equal, and where the target is a file system the holes stay holes."""
    if (source := posix(world)) is None:
        return
    source.put(b"sparse", b"head")
    os.truncate(source.at(b"sparse"), 64 * MIB)
    with source.at(b"sparse").open("r+b") as file:
        file.seek(32 * MIB)
        file.write(b"middle")
    world.replicate("A")
    world.ensure_equal("A")
    if not world.source.tells_modes_and_links:
        world.say("kept as a full file: SFTP does not tell of holes")
    elif isinstance(world.site, Folder):
        assert world.site.at(b"sparse").stat().st_blocks * 512 < 8 * MIB
    else:
        world.say("kept as a full object: a bucket has no holes")


@pytest.mark.parametrize("what", ["pipe", "socket"])
def test_special_files(world: World, what: str) -> None:
    """A pipe, socket or device is refused by name, before anything is published."""
    if (source := posix(world)) is None:
        return
    source.put(b"a", b"1")
    if what == "pipe":
        os.mkfifo(source.at(b"special"))
    else:
        with socket.socket(socket.AF_UNIX) as bound:
            here = os.open(source.root, os.O_RDONLY)
            bound.bind(f"/proc/self/fd/{here}/special")
            os.close(here)
    with pytest.raises(IntegrityError, match="special is a"):
        world.seal("A")
    assert world.catalog.points() == []
    world.say("refused: named")


def test_zero_byte_directory_keys(world: World) -> None:
    """B02: a key that ends in a slash is a folder's marker; it neither hides nor doubles what is below it."""
    if isinstance(world.source, Folder):
        world.say("not applicable: a folder is not a key")
        return
    world.source.put(b"t/", b"")
    world.source.put(b"t/x", b"1")
    world.source.put(b"empty/", b"")
    world.replicate("A")
    assert {path: found for path, found in world.live_contents().items() if not path.endswith(b"/")} == {b"t/x": b"1"}
    assert world.verify("A").equal


def test_a_file_becomes_a_folder_and_a_file_again(world: World) -> None:
    """Each state arrives, and each can be rolled back to."""
    states = []
    for point, content in (("A", None), ("B", b"inside"), ("C", None)):
        if content is None:
            world.source.put(b"turns", b"file at " + point.encode())
        else:
            world.source.put(b"turns/into", content)
        world.source.put(b"always", b"here")
        world.replicate(point)
        world.ensure_equal(point)
        states.append(world.live())
        if point != "C":
            world.source.remove(b"turns")
    for point, state in zip("BACAB", [states[1], states[0], states[2], states[0], states[1]], strict=True):
        world.apply(point)
        assert world.live() == state
