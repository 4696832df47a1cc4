"""The result of a pass, put together of what was drafted and what was copied."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incorta_provider.dr.manifest import Entry, parent_of
from incorta_provider.storage.copying.outcome import Copies, complete, complete_last
from incorta_provider.storage.copying.workspace import Pass, Workspace
from incorta_provider.storage.manifest import delta_file, manifest_file
from incorta_provider.storage.manifest.delta_file import (
    DeltaWriter,
    Gain,
    change_between,
    delta_gain,
    read_delta,
    read_folders,
)
from incorta_provider.storage.manifest.manifest_file import ManifestWriter, Totals, read_manifest, read_totals
from incorta_provider.storage.survey.baseline import Baseline
from tests.builders.storage import file, folder, folder_in_memory

PATHS = [b"a", b"a-b", b"a/x", b"a/y", b"b", b"c", b"c/z", b"d"]
VERSIONS = st.one_of(st.none(), st.builds(folder, st.just(b"?")), st.builds(file, st.just(b"?"), st.binary(max_size=2)))
LAYERS = st.dictionaries(st.sampled_from(PATHS), VERSIONS)
COPIED = st.dictionaries(st.sampled_from(PATHS), st.binary(max_size=2))
SIZES = st.lists(st.integers(1, 3), min_size=len(PATHS))


@pytest.fixture(autouse=True)
def _small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delta_file, "GROUP_ROWS", 3)
    monkeypatch.setattr(manifest_file, "GROUP_ROWS", 3)


@pytest.fixture
def memory() -> Iterator[Path]:
    with folder_in_memory() as root:
        yield root


def at(layer: dict[bytes, Entry | None]) -> dict[bytes, Entry]:
    return {path: entry._replace(path=path) for path, entry in layer.items() if entry is not None}


def in_batches(copied: dict[bytes, bytes], sizes: list[int]) -> Iterator[list[Entry]]:
    files = [file(path, content) for path, content in sorted(copied.items())]
    for size in sizes:
        yield files[:size]
        files = files[size:]


def totals(entries: list[Entry]) -> tuple[int, int, int]:
    files = [entry for entry in entries if entry.kind == "file"]
    return len(entries), len(files), sum(entry.size for entry in files)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=LAYERS, drafted=LAYERS, copied=COPIED, sizes=SIZES, is_first=st.booleans())
def test_a_copy_takes_the_place_of_what_was_drafted(
    memory: Path,
    old: dict[bytes, Entry | None],
    drafted: dict[bytes, Entry | None],
    copied: dict[bytes, bytes],
    sizes: list[int],
    is_first: bool,
) -> None:
    workspace = Workspace(Path(tempfile.mkdtemp(dir=memory)))
    workspace.create()
    before = {} if is_first else at(old)
    base = None if is_first else workspace.root / "base.parquet"
    if base is not None:
        with ManifestWriter(base) as writer:
            writer.extend(entry for _, entry in sorted(before.items()))
    files = workspace.new_pass()
    plan = at(drafted)
    with DeltaWriter(files.draft, None) as writer_of_draft:
        for path in sorted(before.keys() | plan.keys()):
            writer_of_draft.add(change_between(before.get(path), plan.get(path)))
    after = plan | {path: file(path, content) for path, content in copied.items()}

    complete_last(Baseline(base), files, workspace, in_batches(copied, sizes), lambda: [b"left"])

    expected = [
        change_between(before.get(path), after.get(path))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]
    entries = [entry for _, entry in sorted(after.items())]
    assert list(read_delta(workspace.delta)) == expected
    assert list(read_manifest(workspace.manifest)) == entries
    assert read_totals(workspace.manifest) == Totals(*totals(entries))
    gained = zip(totals(entries), totals(list(before.values())), strict=True)
    assert delta_gain(workspace.delta) == Gain(*(now - then for now, then in gained))
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    holders = {parent_of(path) for path in changed}
    holders -= {path for path in changed if path in after and after[path].kind == "dir"}
    assert [entry.path for entry in read_folders(workspace.delta)] == sorted(
        path for path in holders if path in before and before[path].kind == "dir"
    )
    assert workspace.left_out() == [b"left"]


def drafted_pass(root: Path) -> tuple[Workspace, Pass]:
    workspace = Workspace(root)
    workspace.create()
    files = workspace.new_pass()
    with DeltaWriter(files.draft, None) as draft:
        draft.add(change_between(None, folder(b"a")))
    return workspace, files


def cut_off() -> Iterator[list[Entry]]:
    yield [file(b"a/%d" % number) for number in range(9)]
    raise ZeroDivisionError


def test_a_copy_that_is_cut_off_leaves_no_result(tmp_path: Path) -> None:
    workspace, files = drafted_pass(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ZeroDivisionError):
        complete(Baseline(None), files, cut_off())
    with pytest.raises(ZeroDivisionError):
        complete_last(Baseline(None), files, workspace, cut_off(), list)
    assert sorted(tmp_path.rglob("*")) == before


def test_there_is_no_manifest_before_it_is_known_what_is_left_out(tmp_path: Path) -> None:
    workspace, files = drafted_pass(tmp_path)
    seen: list[bool] = []

    def left_out() -> list[bytes]:
        seen.append(workspace.manifest.exists() or workspace.delta.exists())
        return [b"a/left"]

    copies: Copies = [[file(b"a/1")], [file(b"a/2")]]
    complete_last(Baseline(None), files, workspace, copies, left_out)
    assert seen == [False]
    expected = [folder(b"a"), file(b"a/1"), file(b"a/2")]
    assert list(read_manifest(workspace.manifest)) == expected
    assert [change.new for change in read_delta(workspace.delta)] == expected
