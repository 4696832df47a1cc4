"""The files of a point beside the replica: from wherever they lie, while applies go on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from incorta_provider.exceptions import ConfigurationError, IntegrityError, PreconditionError
from incorta_provider.storage import drill_files
from incorta_provider.storage.copying.free_space import Room
from incorta_provider.storage.drill_files import empty_folder, ensure_empty, place_files
from tests.builders.storage import HOSTILE_NAMES, Pair, folder_in_memory, make_pair, put, snapshot


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Return a pair whose live replica is B, with what left it since A in the history."""
    with folder_in_memory() as folder:
        yield two_points(make_pair(folder / "pair"))


def two_points(pair: Pair) -> Pair:
    put(pair.source, {name + b"/" + name: name for name in HOSTILE_NAMES} | {"empty": None, "t/a": b"1", "t/b": b"b"})
    (pair.source / "t" / "link").symlink_to("a")
    (pair.source / "t" / "a").chmod(0o440)
    (pair.source / "t").chmod(0o550)
    pair.seal("A")
    pair.apply("A")
    (pair.source / "t").chmod(0o750)
    put(pair.source, {"t/b": b"changed", "new": b"n"})
    (pair.source / "t" / "link").unlink()
    pair.seal("B", minute=1)
    pair.apply("B")
    put(pair.source, {"new": b"newer"})
    pair.seal("C", minute=2)
    return pair


@pytest.mark.parametrize("point", ["A", "B", "C"])
def test_a_point_that_is_live_that_was_and_that_will_be(pair: Pair, point: str) -> None:
    before = snapshot(pair.live, times=True), snapshot(pair.catalog.root, times=True)
    folder = pair.root / "drill"
    place_files(pair.catalog, pair.live, point, folder, "copy")
    assert (snapshot(pair.live, times=True), snapshot(pair.catalog.root, times=True)) == before
    pair.apply(point)
    assert snapshot(folder, times=True) == snapshot(pair.live, times=True)
    empty_folder(folder)
    assert not folder.exists()


def test_what_an_apply_moves_meanwhile_is_found(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The replica goes on to C between the look into it and the one into the vault."""
    copy = drill_files.copy_file
    looks = []

    def copying(root: bytes, entry, into: bytes):
        if not looks:
            looks.append(entry.path)
            pair.apply("C")
        return copy(root, entry, into)

    monkeypatch.setattr(drill_files, "copy_file", copying)
    place_files(pair.catalog, pair.live, "B", pair.root / "drill", "copy")
    pair.apply("B")
    assert snapshot(pair.root / "drill", times=True) == snapshot(pair.live, times=True)


def test_bytes_that_are_nowhere_are_named(pair: Pair) -> None:
    (pair.live / "new").write_bytes(b"?n")
    with pytest.raises(IntegrityError, match="the bytes of new are nowhere"):
        place_files(pair.catalog, pair.live, "B", pair.root / "drill", "copy")


def test_of_a_copy_the_digest_decides(pair: Pair) -> None:
    facts = (pair.live / "new").stat()
    (pair.live / "new").write_bytes(b"?")
    os.utime(pair.live / "new", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    with pytest.raises(IntegrityError, match="the bytes of new are nowhere"):
        place_files(pair.catalog, pair.live, "B", pair.root / "drill", "copy")


def test_a_folder_of_somebody_else_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    ensure_empty(tmp_path / "theirs")
    ensure_empty(tmp_path / "new")
    (tmp_path / "theirs" / "file").touch()
    with pytest.raises(PreconditionError, match="not empty"):
        ensure_empty(tmp_path / "theirs")
    with pytest.raises(PreconditionError, match="no folder for the drill's files"):
        ensure_empty(tmp_path / "absent" / "new")


def test_a_copy_without_room_is_refused_before_it_begins(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill_files, "room", lambda _: Room(size=1000, files=None))
    with pytest.raises(PreconditionError, match="no room"):
        place_files(pair.catalog, pair.live, "B", pair.root / "drill", "copy")
    assert list((pair.root / "drill").iterdir()) == []


@contextmanager
def xfs(folder: Path) -> Iterator[Path]:
    """Lend a file system that shares the blocks of files."""
    image, mounted = folder / "image", folder / "xfs"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(320 * 1024 * 1024)
    subprocess.run(["mkfs.xfs", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, mounted], check=True)
    try:
        yield mounted
    finally:
        subprocess.run(["umount", mounted], check=True)


def used(folder: Path) -> int:
    os.sync()
    facts = os.statvfs(folder)
    return (facts.f_blocks - facts.f_bfree) * facts.f_frsize


@pytest.mark.lab
def test_a_reflink_takes_no_room_and_what_is_written_there_does_not_reach_the_replica(tmp_path: Path) -> None:
    size = 8 * 1024 * 1024
    with xfs(tmp_path) as folder:
        pair = two_points(make_pair(folder / "pair"))
        put(pair.source, {"large": os.urandom(size)})
        pair.seal("D", minute=3)
        pair.apply("D")
        before, drill = used(folder), folder / "drill"
        place_files(pair.catalog, pair.live, "D", drill, "reflink")
        assert used(folder) - before < size / 4
        live = snapshot(pair.live, times=True)
        assert snapshot(drill, times=True) == live
        (drill / "large").write_bytes(b"the drill wrote")
        assert snapshot(pair.live, times=True) == live


def test_a_file_system_that_shares_no_blocks_is_told(pair: Pair) -> None:
    """Memory shares none."""
    with pytest.raises(ConfigurationError, match="shares no blocks"):
        place_files(pair.catalog, pair.live, "B", pair.root / "drill", "reflink")
