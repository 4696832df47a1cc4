"""The file system of a replica and its vault: what an agent at a node can do too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from incorta_provider.exceptions import ConfigurationError
from incorta_provider.storage.local.volume import LocalVolume
from incorta_provider.storage.volume import LIVE, LiveRoot
from tests.builders.storage import file, folder_for_nobody, put, run_as_nobody

ROOT = Path(__file__).resolve().parents[3]

_FOREIGN = """
import sys
before = set(sys.modules)
import incorta_provider.storage.local.volume, incorta_provider.storage.volume
tops = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(tops - sys.stdlib_module_names - {"incorta_provider", "__mp_main__"}))
"""


@pytest.fixture
def volume(tmp_path: Path) -> LocalVolume:
    put(tmp_path, {"vault": None, "live/b": b"1", "live/a/x": b"22"})
    return LocalVolume(tmp_path / "live", tmp_path / "vault")


def test_it_needs_nothing_but_the_standard_library() -> None:
    """It runs at nodes, with whatever Python is there."""
    argv = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{_FOREIGN}"]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_live_root_is_looked_at_and_made(tmp_path: Path, volume: LocalVolume) -> None:
    assert volume.live_root() == LiveRoot(True, True, True, (b"a", b"b"))
    absent = LocalVolume(tmp_path / "new", tmp_path / "vault")
    assert absent.live_root() == LiveRoot(False, True, True, ())
    absent.make_live_root()
    absent.make_live_root()
    assert absent.live_root() == LiveRoot(True, True, True, ())
    assert LocalVolume(tmp_path / "no" / "new", tmp_path / "vault").live_root() == LiveRoot(False, False, False, ())


def test_another_file_system_is_seen(tmp_path: Path, volume: LocalVolume) -> None:
    shared_memory = Path("/dev/shm")
    assert shared_memory.stat().st_dev != tmp_path.stat().st_dev, "this test needs two file systems"
    assert not LocalVolume(shared_memory, tmp_path / "vault").live_root().one_file_system
    assert not LocalVolume(shared_memory / "absent", tmp_path / "vault").live_root().one_file_system


def test_areas_are_folders_by_their_names(tmp_path: Path, volume: LocalVolume) -> None:
    put(
        tmp_path / "vault", {"points/B/files": None, "points/A/files": None, "points/A/point.json": b"", "history": b""}
    )
    assert volume.areas("points/*/files") == [b"points/A/files", b"points/B/files"]
    assert volume.areas("points/*/*") == [b"points/A/files", b"points/B/files"]
    assert volume.areas("history/*") == []


def test_files_are_read_and_looked_at_in_their_area(tmp_path: Path, volume: LocalVolume) -> None:
    put(tmp_path / "vault", {"points/A/files/b": b"in the vault"})
    inside, outside = file(b"b", b"in the vault"), file(b"b", b"1")
    assert volume.reader(LIVE)([outside])[0].holds(outside)
    assert volume.reader(b"points/A/files")([inside])[0].holds(inside)
    assert volume.touched(LIVE, [file(b"b", b"1", mtime_ns=1), file(b"absent")]) == [b"b", b"absent"]
    facts = (tmp_path / "live" / "b").stat()
    assert volume.touched(LIVE, [file(b"b", b"9", mtime_ns=facts.st_mtime_ns)]) == []


def test_kept_files_are_listed_whatever_else_lies_there(tmp_path: Path, volume: LocalVolume) -> None:
    put(tmp_path / "vault" / "history" / "A" / "files", {"t/b": b"22", "t-a": b"1", "t/u": None})
    (tmp_path / "vault" / "history" / "A" / "files" / "out").symlink_to("/")
    kept = [(entry.path, entry.size) for entry in volume.kept(b"history/A/files")]
    assert kept == [(b"t-a", 1), (b"t/b", 2)]
    assert list(volume.kept(b"history/B/files")) == []


def test_what_is_forgotten_takes_its_empty_folders_along(tmp_path: Path, volume: LocalVolume) -> None:
    put(tmp_path / "vault" / "history", {"A/files/t/u/x": b"1", "A/files/t/y": b"1", "B/files/z": b"1"})
    volume.forget([b"history/A/files/t/u/x", b"history/A/files/t/u/x", b"history/B/files/z"])
    left = sorted(str(path.relative_to(tmp_path / "vault")) for path in (tmp_path / "vault").rglob("*"))
    assert left == ["history", "history/A", "history/A/files", "history/A/files/t", "history/A/files/t/y"]


def test_an_area_is_removed_and_none_is_fine(tmp_path: Path, volume: LocalVolume) -> None:
    put(tmp_path / "vault", {"staged/r/t/x": b"1"})
    volume.remove(b"staged/r")
    volume.remove(b"staged/r")
    assert not (tmp_path / "vault" / "staged" / "r").exists()


def test_there_is_room(volume: LocalVolume) -> None:
    assert volume.room().size > 0


def test_what_the_system_refuses_says_what_to_do(tmp_path: Path) -> None:
    with folder_for_nobody() as root:
        put(root, {"vault": None})
        root.chmod(0o555)
        program = (
            "from incorta_provider.storage.local.volume import LocalVolume; "
            "LocalVolume(root / 'live', root / 'vault').make_live_root()"
        )
        assert run_as_nobody(program, root).startswith(f"{ConfigurationError.__name__}: cannot write")
