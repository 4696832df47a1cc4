"""What leads from one point to the next: written, read, taken back in part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incorta_provider.dr.diff import Change, ChangeKind, diff
from incorta_provider.dr.manifest import Entry, parent_of
from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.manifest import delta_file
from incorta_provider.storage.manifest.delta_file import (
    DeltaWriter,
    Gain,
    delta_base,
    delta_gain,
    drop_from_delta,
    has_changes,
    read_delta,
    read_folders,
)
from incorta_provider.storage.manifest.manifest_file import ManifestWriter, read_manifest, read_totals
from tests.builders.storage import HOSTILE_NAMES, file, folder, link

OLD = [folder(b"a"), file(b"a/changed", b"1"), file(b"a/same"), folder(b"b"), file(b"b/gone"), link(b"l", b"a")]
NEW = [folder(b"a"), file(b"a/changed", b"22"), file(b"a/same"), folder(b"b", mtime_ns=2), file(b"c"), link(b"l", b"b")]


@pytest.fixture(autouse=True)
def _small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delta_file, "GROUP_ROWS", 3)


def written(root: Path, old: list[Entry], new: list[Entry], base: str | None = "P1") -> Path:
    root.mkdir(exist_ok=True)
    with ManifestWriter(root / "manifest") as writer:
        writer.extend(new)
    with DeltaWriter(root / "delta", base, root / "manifest") as writer:
        writer.extend(diff(old, new))
    return root / "delta"


def test_every_change_comes_back_with_both_entries(tmp_path: Path) -> None:
    delta = written(tmp_path, OLD, NEW)
    assert list(read_delta(delta)) == list(diff(OLD, NEW))
    assert [change.kind for change in read_delta(delta)] == ["changed", "changed", "removed", "added", "changed"]


def test_a_folder_that_holds_a_change_and_did_not_change_is_told(tmp_path: Path) -> None:
    assert list(read_folders(written(tmp_path, OLD, NEW))) == [folder(b"a")]


def test_a_file_that_became_a_folder_is_one_change(tmp_path: Path) -> None:
    delta = written(tmp_path, [file(b"x")], [folder(b"x"), file(b"x/y")])
    assert [change.kind for change in read_delta(delta)] == [ChangeKind.CHANGED, ChangeKind.ADDED]


def test_hostile_names(tmp_path: Path) -> None:
    new = [file(name) for name in sorted(HOSTILE_NAMES)]
    assert [change.new for change in read_delta(written(tmp_path, [], new))] == new


@pytest.mark.parametrize("base", [None, "20261125T030405Z-55d41569"])
def test_it_says_from_which_point_it_leads(tmp_path: Path, base: str | None) -> None:
    assert delta_base(written(tmp_path, OLD, NEW, base)) == base


def test_nothing_changed(tmp_path: Path) -> None:
    delta = written(tmp_path, OLD, OLD)
    assert list(read_delta(delta)) == []
    assert list(read_folders(delta)) == []
    assert not has_changes(delta)


def test_a_delta_that_leads_anywhere_says_so(tmp_path: Path) -> None:
    assert has_changes(written(tmp_path, OLD, NEW))


def test_what_leads_from_nothing_is_a_manifest(tmp_path: Path) -> None:
    with (
        ManifestWriter(tmp_path / "manifest") as manifest,
        DeltaWriter(tmp_path / "delta", None, beside=manifest) as writer,
    ):
        writer.extend(diff((), NEW[:2]))
        writer.add_files([file(b"a/n%d" % number) for number in range(5)])
        writer.extend(diff((), NEW[3:]))
    expected = [*NEW[:2], *(file(b"a/n%d" % number) for number in range(5)), *NEW[3:]]
    assert [change.new for change in read_delta(tmp_path / "delta")] == expected
    assert delta_gain(tmp_path / "delta") == Gain(len(expected), 7, sum(entry.size for entry in expected))
    assert list(read_manifest(tmp_path / "manifest")) == expected
    assert read_totals(tmp_path / "manifest").entries == len(expected)


@pytest.mark.parametrize("content", [b"", b"PAR1 no more"])
def test_damage_is_found(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "delta").write_bytes(content)
    with pytest.raises(IntegrityError, match="the delta cannot be read"):
        list(read_delta(tmp_path / "delta"))


def test_a_manifest_is_no_delta(tmp_path: Path) -> None:
    written(tmp_path, OLD, NEW)
    with pytest.raises(IntegrityError, match="the delta has format none"):
        delta_base(tmp_path / "manifest")


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    def changes() -> Iterator[Change]:
        yield Change(ChangeKind.ADDED, None, OLD[0])
        raise ZeroDivisionError

    with (
        pytest.raises(ZeroDivisionError),
        DeltaWriter(tmp_path / "delta", None, tmp_path / "manifest") as writer,
    ):
        writer.extend(changes())
    assert list(tmp_path.iterdir()) == []


def test_what_the_check_drops_is_not_brought_and_what_was_there_before_is_removed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    written(tmp_path, OLD, NEW).rename(workspace.delta)
    for _ in range(2):
        drop_from_delta(workspace, [b"a/changed", b"c", b"never there"])
        kept = [entry for entry in NEW if entry.path not in {b"a/changed", b"c"}]
        assert list(read_delta(workspace.delta)) == list(diff(OLD, kept))
        assert list(read_folders(workspace.delta)) == [folder(b"a")]
        assert delta_base(workspace.delta) == "P1"


NAMES = st.sampled_from([b"a", b"a-", b"b"])
ENTRIES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map(b"/".join), st.sampled_from([None, b"1", b"22"]), max_size=8
)


def tree(drawn: dict[bytes, bytes | None]) -> list[Entry]:
    """Return the entries with every folder above them."""
    found: dict[bytes, Entry] = {}
    for path in sorted(drawn):
        above = path
        while above := parent_of(above):
            found[above] = folder(above)
        content = drawn[path]
        found.setdefault(path, folder(path) if content is None else file(path, content))
    return [found[path] for path in sorted(found)]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=ENTRIES, after=ENTRIES)
def test_changes_and_folders_are_all_that_an_apply_needs(
    tmp_path: Path, before: dict[bytes, bytes | None], after: dict[bytes, bytes | None]
) -> None:
    old, new = tree(before), tree(after)
    delta = written(tmp_path, old, new)
    changes = list(read_delta(delta))
    assert changes == list(diff(old, new))
    known = {change.new.path for change in changes if change.new} | {entry.path for entry in read_folders(delta)}
    folders = {entry.path for entry in new if entry.kind == "dir"}
    touched = {parent_of((change.new or change.old or folder(b"")).path) for change in changes}
    assert touched & folders <= known
