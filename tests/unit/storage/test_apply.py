"""Rolling the live replica to any point, forward and back, first of all without accidents."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from incorta_provider.exceptions import ConfigurationError, IntegrityError, PreconditionError
from incorta_provider.storage.local import volume as local_volume
from incorta_provider.storage.local.target import LocalTarget
from incorta_provider.storage.manifest.manifest_file import ManifestWriter, read_manifest
from incorta_provider.storage.vault.areas import CatalogAreas
from incorta_provider.storage.vault.vault import Vault
from incorta_provider.storage.verify import verify_replica
from tests.builders.storage import HOSTILE_NAMES, NS, Pair, complete, file, make_pair, make_point, put, snapshot

State = dict[bytes, tuple[object, ...]]


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path / "pair")


@pytest.fixture
def seal(pair: Pair) -> Callable[[str], State]:
    """Seal the source as a point, and return what the replica must become."""
    minute = iter(range(100))

    def sealing(point_id: str) -> State:
        pair.seal(point_id, minute=next(minute))
        return snapshot(pair.source, times=True)

    return sealing


def live(pair: Pair) -> State:
    return snapshot(pair.live, times=True)


def test_the_first_point_becomes_the_replica(pair: Pair, seal: Callable[[str], State]) -> None:
    put(pair.source, {name + b"/" + name: name for name in HOSTILE_NAMES} | {"empty": None, "t/a": b"1"})
    (pair.source / "t" / "link").symlink_to("a")
    (pair.source / "t").chmod(0o750)
    (pair.source / "t" / "a").chmod(0o640)
    expected = seal("A")
    report = pair.apply("A")
    assert live(pair) == expected
    assert (report.moved, report.removed, report.kept) == (len(HOSTILE_NAMES) + 1, 0, 0)
    assert pair.catalog.live_point_id() == "A"
    assert not pair.catalog.journal.exists()


def test_forward_back_and_over_several_points(pair: Pair, seal: Callable[[str], State]) -> None:
    states = {}
    put(pair.source, {"a": b"1", "t/b": b"1", "t/c": b"1", "same": b"0", "back": b"x"})
    states["A"] = seal("A")
    put(pair.source, {"a": b"22", "t/d": b"1", "back": b"xx"})
    (pair.source / "t" / "b").unlink()
    states["B"] = seal("B")
    shutil.rmtree(pair.source / "t")
    put(pair.source, {"t": b"a file", "a": b"333", "back": b"x", "new/e": b"1"})
    states["C"] = seal("C")
    for target in ("A", "B", "C", "A", "C", "B", "A", "B", "C"):
        pair.apply(target)
        assert live(pair) == states[target], target
        assert pair.catalog.live_point_id() == target


def test_the_counts(pair: Pair, seal: Callable[[str], State]) -> None:
    put(pair.source, {"a": b"1", "b": b"1", "t/c": b"1", "t/d": b"1", "turns": b"file"})
    seal("A")
    put(pair.source, {"a": b"22", "new": b"1"})
    (pair.source / "b").chmod(0o600)
    shutil.rmtree(pair.source / "t")
    (pair.source / "turns").unlink()
    put(pair.source, {"turns/x": b"1"})
    seal("B")
    counts = [(report.moved, report.removed, report.kept) for report in map(pair.apply, ("A", "B", "A"))]
    assert counts == [(5, 0, 0), (3, 3, 1), (4, 2, 1)]


def test_what_did_not_change_is_not_touched(pair: Pair, seal: Callable[[str], State]) -> None:
    put(pair.source, {"a": b"1", "b": b"2"})
    seal("A")
    pair.apply("A")
    before = (pair.live / "a").stat()
    put(pair.source, {"b": b"22"})
    seal("B")
    pair.apply("B")
    after = (pair.live / "a").stat()
    assert (before.st_ino, before.st_ctime_ns) == (after.st_ino, after.st_ctime_ns)


def test_a_mode_or_a_time_alone_moves_no_file(pair: Pair, seal: Callable[[str], State]) -> None:
    put(pair.source, {"a": b"1"})
    seal("A")
    pair.apply("A")
    inode = (pair.live / "a").stat().st_ino
    (pair.source / "a").chmod(0o600)
    os.utime(pair.source / "a", ns=(1, NS))
    expected = seal("B")
    report = pair.apply("B")
    assert live(pair) == expected
    assert (report.moved, report.kept) == (0, 1)
    assert (pair.live / "a").stat().st_ino == inode


def test_folders_get_the_times_that_they_had(pair: Pair, seal: Callable[[str], State]) -> None:
    put(pair.source, {"t/u/a": b"1", "t/b": b"1"})
    for name, age in (("t/u", 5), ("t", 7)):
        os.utime(pair.source / name, ns=(1, NS + age))
    seal("A")
    pair.apply("A")
    assert [(pair.live / name).stat().st_mtime_ns for name in ("t/u", "t")] == [NS + 5, NS + 7]


def test_applying_the_live_point_does_nothing(pair: Pair, seal: Callable[[str], State]) -> None:
    put(pair.source, {"a": b"1"})
    seal("A")
    pair.apply("A")
    report = pair.apply("A")
    assert (report.moved, report.removed, report.kept) == (0, 0, 1)
    assert list(pair.catalog.history.iterdir()) == []


def test_a_point_that_was_sealed_and_never_applied_is_passed_over_and_found_later(
    pair: Pair, seal: Callable[[str], State]
) -> None:
    """Its files still lie in its own folder, also those that a later point shares with it."""
    put(pair.source, {"a": b"1"})
    seal("A")
    pair.apply("A")
    put(pair.source, {"a": b"22", "b": b"1"})
    middle = seal("B")
    put(pair.source, {"a": b"333"})
    last = seal("C")
    pair.apply("C")
    assert live(pair) == last
    pair.apply("B")
    assert live(pair) == middle


def test_what_a_replica_held_before_its_first_apply_is_kept(pair: Pair, seal: Callable[[str], State]) -> None:
    put(pair.source, {"a": b"1", "t/x": b"1"})
    expected = seal("A")
    put(pair.live, {"a": b"foreign", "t/x": b"1", "t/y": b"foreign", "deep/er/z": b"foreign", "-rf\n": b"foreign"})
    os.mkfifo(pair.live / "pipe")
    (pair.live / "link").symlink_to("/etc/passwd")
    pair.apply("A")
    assert live(pair) == expected
    kept = pair.catalog.history / "unmanaged" / "files"
    assert (kept / "a").read_bytes() == b"foreign"
    assert (kept / "t" / "y").read_bytes() == b"foreign"
    assert sorted(path.name for path in kept.iterdir()) == ["-rf\n", "a", "deep", "link", "pipe", "t"]


def test_a_file_that_was_changed_by_hand_is_kept_when_a_point_replaces_it(
    pair: Pair, seal: Callable[[str], State]
) -> None:
    """B51."""
    put(pair.source, {"a": b"1", "gone": b"1", "t/x": b"1"})
    seal("A")
    pair.apply("A")
    put(pair.live, {"a": b"by hand", "new": b"by hand", "t/y": b"by hand"})
    (pair.live / "gone").unlink()
    put(pair.source, {"a": b"22", "new": b"from the source"})
    (pair.source / "gone").unlink()
    shutil.rmtree(pair.source / "t")
    expected = seal("B")
    pair.apply("B")
    assert live(pair) == expected
    kept = pair.catalog.history / "A" / "files"
    found = {str(path.relative_to(kept)): path.read_bytes() for path in kept.rglob("*") if path.is_file()}
    assert found == {"a": b"by hand", "new": b"by hand", "t/x": b"1", "t/y": b"by hand"}


def test_a_point_whose_bytes_are_nowhere_changes_nothing(pair: Pair, seal: Callable[[str], State]) -> None:
    put(pair.source, {"a": b"1", "b": b"1"})
    seal("A")
    pair.apply("A")
    put(pair.source, {"a": b"22", "b": b"22", "c": b"22"})
    seal("B")
    (pair.catalog.point_dir("B") / "files" / "b").unlink()
    before = live(pair)
    with pytest.raises(IntegrityError, match=r"1 file\(s\) of the recovery point are nowhere in the catalog:\n  b"):
        pair.apply("B")
    assert live(pair) == before
    assert pair.catalog.live_point_id() == "A"
    assert not pair.catalog.journal.exists()
    assert (pair.catalog.point_dir("B") / "files" / "a").exists()


def test_bytes_that_are_not_the_points_are_not_used(pair: Pair, seal: Callable[[str], State]) -> None:
    """Changed by hand in the live replica, then moved to the history: the same size, another content."""
    put(pair.source, {"a": b"1"})
    seal("A")
    pair.apply("A")
    facts = (pair.live / "a").stat()
    put(pair.live, {"a": b"X"})
    os.utime(pair.live / "a", ns=(1, facts.st_mtime_ns))
    put(pair.source, {"a": b"22"})
    seal("B")
    pair.apply("B")
    with pytest.raises(IntegrityError, match="nowhere in the catalog"):
        pair.apply("A")


def test_a_staged_file_with_another_time_is_read_before_it_is_believed(
    pair: Pair, seal: Callable[[str], State]
) -> None:
    put(pair.source, {"a": b"1", "b": b"2"})
    expected = seal("A")
    files = pair.catalog.point_dir("A") / "files"
    os.utime(files / "a", ns=(1, 1))
    pair.apply("A")
    assert live(pair) == expected


def test_content_is_found_in_the_points_own_folder_first(pair: Pair, seal: Callable[[str], State]) -> None:
    put(pair.source, {"a": b"1"})
    seal("A")
    entry = next(read_manifest(pair.catalog.manifest_path("A")))
    vault = Vault(pair.catalog, pair.target.volume, CatalogAreas())

    def find() -> bytes | None:
        own = vault.own_area("A")
        (place,) = pair.target.volume.find(own, vault.other_areas(own), [entry])
        return place

    assert find() == b"points/A/files/a"
    (pair.catalog.point_dir("A") / "files" / "a").rename(pair.catalog.root / "moved")
    assert find() is None
    put(pair.catalog.history, {"Z/by-hand-1/a": b"1"})
    assert find() == b"history/Z/by-hand-1/a"


def test_a_manifest_that_leads_out_of_the_replica_is_refused(pair: Pair, tmp_path: Path) -> None:
    workspace = pair.catalog.workspace("run of A")
    with ManifestWriter(workspace.manifest) as writer:
        writer.add(file(b"../outside", b"1"))
    put(workspace.files, {"../outside": b"1"})
    complete(workspace)
    pair.catalog.seal(workspace, make_point("A", workspace))
    with pytest.raises(IntegrityError, match=r"a path outside of the storage: \.\./outside"):
        pair.apply("A")
    assert not (pair.root / "outside").exists()


def test_an_unknown_point_is_refused(pair: Pair) -> None:
    with pytest.raises(PreconditionError, match="no recovery point"):
        pair.apply("A")


@pytest.mark.parametrize("remains", [True, False])
def test_a_replica_that_is_not_mounted_is_refused(pair: Pair, seal: Callable[[str], State], remains: bool) -> None:
    put(pair.source, {"a": b"1"})
    seal("A")
    pair.apply("A")
    pair.live.rename(pair.root / "unmounted")
    if remains:
        pair.live.mkdir()
    put(pair.source, {"b": b"1"})
    seal("B")
    with pytest.raises(PreconditionError, match="the live replica is empty or absent, it should be point A"):
        pair.apply("B")
    assert (pair.catalog.point_dir("B") / "files" / "b").exists()


def test_a_replica_on_another_file_system_is_a_setting_to_correct(
    pair: Pair, seal: Callable[[str], State], tmp_path: Path
) -> None:
    put(pair.source, {"a": b"1"})
    seal("A")
    shared_memory = Path("/dev/shm")
    assert shared_memory.stat().st_dev != tmp_path.stat().st_dev, "this test needs two file systems"
    with pytest.raises(ConfigurationError, match="different file systems"):
        LocalTarget(shared_memory, pair.catalog).apply("A")


def test_everything_is_on_disk_before_the_point_counts_as_live(
    pair: Pair, seal: Callable[[str], State], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(pair.source, {"a": b"1"})
    seal("A")
    seen = []
    monkeypatch.setattr(
        local_volume,
        "sync_filesystem",
        lambda path: seen.append((path, (pair.live / "a").exists(), pair.catalog.live_point_id())),
    )
    pair.apply("A")
    assert seen == [(pair.catalog.root, True, None)]


def test_5000_deletes_in_nested_folders_are_done_exactly(pair: Pair, seal: Callable[[str], State]) -> None:
    """B41."""
    put(pair.source, {f"keep/k{number}": b"" for number in range(10)})
    put(pair.source, {f"d{number % 10}/e{number % 50}/f{number}": b"" for number in range(5000)})
    first = seal("A")
    pair.apply("A")
    for number in range(10):
        shutil.rmtree(pair.source / f"d{number}")
    second = seal("B")
    report = pair.apply("B")
    assert (report.removed, report.moved, report.kept) == (5000, 0, 10)
    assert live(pair) == second
    report = pair.apply("A")
    assert (report.removed, report.moved, report.kept) == (0, 5000, 10)
    assert live(pair) == first
    assert verify_replica(pair.target, pair.catalog.manifest_path("A"), deep=True).equal


@pytest.mark.parametrize("mode", [0o750, 0o555])
def test_bits_of_the_replicas_folders_that_are_not_replicated_stay(
    pair: Pair, seal: Callable[[str], State], mode: int
) -> None:
    """Whoever runs the site may have set them there."""
    put(pair.source, {"t/a": b"1"})
    (pair.source / "t").chmod(mode)
    seal("A")
    pair.apply("A")
    (pair.live / "t").chmod(0o3000 | mode)
    (pair.source / "t").chmod(0o755)
    put(pair.source, {"t/b": b"2"})
    (pair.source / "t").chmod(mode)
    seal("B")
    pair.apply("B")
    assert sorted(path.name for path in (pair.live / "t").iterdir()) == ["a", "b"]
    assert (pair.live / "t").stat().st_mode & 0o7777 == 0o3000 | mode
    assert verify_replica(pair.target, pair.catalog.manifest_path("B"), deep=True).equal
