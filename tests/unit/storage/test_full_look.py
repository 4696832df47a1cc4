"""When everything is looked at, and what is passed over in between."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from incorta_provider.dr.manifest import Entry
from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.copying.transfer import CopyReport, copy_delta
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.manifest.manifest_file import read_manifest
from incorta_provider.storage.survey import ranges
from incorta_provider.storage.survey.full_look import passed_over
from tests.builders.storage import Pair, make_pair, put

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
PATTERNS = ("t/*",)


def look(workspace: Path, base: Path | None, hours: float, patterns: tuple[str, ...] = PATTERNS) -> bool:
    """Tell whether a run passes folders over that starts so many hours behind NOW; a full look is due after a day."""
    workspace.mkdir(exist_ok=True)
    manifest = base / "manifest.parquet" if base else None
    now = NOW + timedelta(hours=hours)
    found = passed_over(Workspace(workspace), manifest, patterns, every_seconds=86_400, now=now)
    assert tuple(found) in ((), patterns)
    return bool(found)


def test_a_full_look_comes_first_and_then_at_its_interval(tmp_path: Path) -> None:
    runs = [tmp_path / str(number) for number in range(5)]
    assert not look(runs[0], None, 0)
    assert look(runs[1], runs[0], 1)
    assert look(runs[2], runs[1], 23.9)
    assert not look(runs[3], runs[2], 24)
    assert look(runs[4], runs[3], 25)


def test_all_passes_of_a_run_look_alike(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    assert [look(first, None, hours) for hours in (0, 1, 30)] == [False] * 3
    assert [look(second, first, hours) for hours in (1, 30)] == [True] * 2


def test_a_clock_that_went_back_is_no_reason_to_pass_over(tmp_path: Path) -> None:
    assert not look(tmp_path / "1", None, 100)
    assert not look(tmp_path / "2", tmp_path / "1", 0)
    assert look(tmp_path / "3", tmp_path / "2", 1)


def test_without_patterns_nothing_is_passed_over_nor_written_down(tmp_path: Path) -> None:
    assert not look(tmp_path / "1", None, 0, ())
    assert list((tmp_path / "1").iterdir()) == []


def test_a_damaged_record_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "look.json").write_text('{"full": 1}')
    with pytest.raises(IntegrityError, match="is not a valid Look"):
        look(tmp_path, None, 0)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """A source that is the same in two points, so that its folders are old; files in ``t/``, some deeper."""
    pair = make_pair(tmp_path / "pair")
    put(pair.source, {"t/v1/a": b"1", "t/v1/b": b"2", "t/v1/deep/c": b"3", "u/a": b"1"})
    pair.seal("P1", minute=1)
    pair.seal("P2", minute=2)
    return pair


def copied(pair: Pair, workspace: Workspace, *, immutable: tuple[str, ...] = PATTERNS) -> CopyReport:
    return copy_delta(pair.tree, pair.target, pair.base(), workspace, final=True, immutable=immutable)


def write_over(path: Path) -> None:
    """Write other bytes of the same length, at another time; the folder does not show it."""
    path.write_bytes(b"X")
    os.utime(path, ns=(1, 1))


def test_unchanged_folders_are_not_looked_into(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[bytes] = []
    walk = LocalTree._look

    def look(tree: LocalTree, folder: bytes, names: list[bytes]) -> object:
        looked.extend(folder + name for name in names)
        return walk(tree, folder, names)

    monkeypatch.setattr(LocalTree, "_look", look)
    report = copied(pair, pair.catalog.workspace("next"))
    assert set(looked) == {b"t", b"t/v1", b"t/v1/deep", b"u", b"u/a"}
    assert (report.listed, report.listed_files, report.listed_bytes, report.reused) == (8, 4, 4, 4)
    assert (report.added, report.changed, report.removed) == (0, 0, 0)


def test_what_is_written_over_in_place_is_seen_by_a_full_look(pair: Pair) -> None:
    write_over(pair.source / "t" / "v1" / "a")
    write_over(pair.source / "u" / "a")
    report = copied(pair, pair.catalog.workspace("next"))
    assert (report.changed, report.copied_files) == (1, 1)
    report = copied(pair, pair.catalog.workspace("full"), immutable=())
    assert (report.changed, report.copied_files) == (2, 2)


def test_new_and_removed_names_are_seen_at_any_depth(pair: Pair) -> None:
    put(pair.source, {"t/v1/deep/new": b"4"})
    (pair.source / "t" / "v1" / "b").unlink()
    report = copied(pair, pair.catalog.workspace("next"))
    assert (report.added, report.removed, report.copied_files) == (1, 1, 1)


def test_a_folder_that_the_point_before_found_changed_is_looked_into(pair: Pair) -> None:
    """What happened to it within the same tick of the clock, behind that look, has left no trace in its time."""
    put(pair.source, {"t/v1/new": b"4"})
    pair.seal("P3", minute=3)
    facts = (pair.source / "t" / "v1").stat()
    put(pair.source, {"t/v1/later": b"5"})
    os.utime(pair.source / "t" / "v1", ns=(facts.st_mtime_ns, facts.st_mtime_ns))
    assert copied(pair, pair.catalog.workspace("next")).added == 1


def test_a_point_without_a_delta_is_looked_at_as_a_whole(pair: Pair) -> None:
    write_over(pair.source / "t" / "v1" / "a")
    Workspace(pair.catalog.point_dir("P2")).delta.unlink()
    assert copied(pair, pair.catalog.workspace("next")).changed == 1


def test_what_this_run_found_in_a_folder_is_looked_at_again(pair: Pair) -> None:
    """A full look, and behind it a pass that would pass the folder over."""
    write_over(pair.source / "t" / "v1" / "a")
    workspace = pair.catalog.workspace("next")
    copy_delta(pair.tree, pair.target, pair.base(), workspace, final=False)
    put(pair.source, {"t/v1/a": b"and again"})
    copied(pair, workspace)
    found = {entry.path: entry for entry in read_manifest(workspace.manifest)}
    assert found[b"t/v1/a"].size == 9


@pytest.mark.parametrize("many", [0, 1 << 60])
def test_the_manifest_is_the_same_however_it_is_looked_at(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(ranges, "MANY_ROWS", many)
    put(pair.source, {"t/v2/a": b"new", "t/v1/deep/d": b"new", "t/v1-0": b"between"})
    (pair.source / "t" / "v1" / "a").unlink()
    manifests: list[list[Entry]] = []
    for patterns in ((), PATTERNS, ("*",)):
        workspace = pair.catalog.workspace(f"with {patterns}")
        copied(pair, workspace, immutable=patterns)
        manifests.append(list(read_manifest(workspace.manifest)))
    assert manifests[1] == manifests[0]
    assert manifests[2] == manifests[0]
