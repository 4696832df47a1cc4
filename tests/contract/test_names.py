"""Whatever a file is called: it arrives under its own name, or the run is refused and says why."""

from __future__ import annotations

import pytest

from incorta_provider.exceptions import DrError
from tests.builders.storage import HOSTILE_NAMES
from tests.contract.world import World

NOT_UTF8 = b"not-utf8-\xff\xfe"
KEY_BYTES = 1024


def test_hostile_names(world: World) -> None:
    """Newline, quote, `;`, leading `-`, `%2e`, blanks, other scripts: each arrives under its own name."""
    names = [name for name in HOSTILE_NAMES if name != NOT_UTF8]
    paths = [path for name in names for path in (name, b"folder " + name[:200] + b"/" + name[:200])]
    world.source.put(b"stays", b"1")
    for path in paths:
        world.source.put(path, b"content of " + path)
    world.replicate("A")
    world.ensure_equal("A")
    for path in paths:
        world.source.remove(path)
    world.replicate("B")
    world.ensure_equal("B")


def test_names_that_differ_only_in_unicode_form(world: World) -> None:
    """Both normal forms of one letter are two names, and stay two files."""
    world.source.put("\u00e9".encode(), b"composed")
    world.source.put("e\u0301".encode(), b"decomposed")
    world.replicate("A")
    world.ensure_equal("A")


def test_names_that_are_not_utf8(world: World) -> None:
    """Kept byte by byte; refused by name where the storage cannot hold them."""
    if not world.source.is_posix:
        world.say("not applicable: keys are UTF-8")
        return
    world.source.put(NOT_UTF8, b"1")
    world.source.put(b"folder-\xff/x", b"2")
    if world.site.is_posix and world.source.kind != "sftp":
        world.replicate("A")
        world.ensure_equal("A")
        return
    world.source.put(b"fine", b"3")
    with pytest.raises(DrError, match="UTF-8"):
        world.seal("A")
    assert world.catalog.points() == []
    world.say("refused: names must be UTF-8")


def test_names_of_255_bytes(world: World) -> None:
    """The longest name that a file system takes arrives."""
    world.source.put(b"n" * 255, b"1")
    world.source.put("表".encode() * 85, b"2")
    world.replicate("A")
    world.ensure_equal("A")


def test_deep_paths(world: World) -> None:
    """A path of 900 bytes in 60 folders arrives."""
    world.source.put(b"/".join([b"folder-of-depth"[:14]] * 60), b"deep")
    world.replicate("A")
    world.ensure_equal("A")


def test_paths_longer_than_a_key(world: World) -> None:
    """A path of 2,000 bytes arrives; refused by name where a key cannot be that long."""
    if not world.source.is_posix:
        world.say(f"not applicable: a key has at most {KEY_BYTES:,} bytes")
        return
    world.source.put(b"/".join([b"f" * 99] * 20), b"deep")
    if world.site.is_posix:
        world.replicate("A")
        world.ensure_equal("A")
        return
    with pytest.raises(DrError, match="key"):
        world.seal("A")
    assert world.catalog.points() == []
    world.say(f"refused: a key has at most {KEY_BYTES:,} bytes")
