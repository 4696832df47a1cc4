"""What a glimpse sees is what judges find; whatever it cannot see, it leaves to them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incorta_provider.dr.manifest import Row
from incorta_provider.storage.copying.transfer import CopyReport, copy_delta
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.manifest.base_rows import BaseRows
from incorta_provider.storage.manifest.manifest_file import ManifestWriter
from incorta_provider.storage.survey import ranges
from incorta_provider.storage.survey.glimpse import Glimpse
from incorta_provider.storage.survey.judging import Judge
from incorta_provider.storage.survey.stretch import Block, Stretch
from tests.builders.storage import Pair, folder_in_memory, make_pair, put

FILES = ["t/a", "t/b/x", "t/b/y", "t/b-1", "t/b-1/z", "t/b.c", "t/b0", "u", "v-1", "v/w/x", "v/w.x"]
"""Names of which some are files or folders, as it comes, where ``/`` sorts behind what another name goes on with."""

SETTINGS = settings(max_examples=30, deadline=None)


def make(root: Path, names: set[str]) -> None:
    put(root, {name: name.encode() for name in names if not any(other.startswith(name + "/") for other in names)})


def recorded(root: Path, manifest: Path) -> None:
    with ManifestWriter(manifest) as writer:
        writer.extend(LocalTree(root).list())


def glimpsed(
    root: Path, manifest: Path, cuts: list[bytes], immutable: str, young: Collection[bytes]
) -> list[tuple[Block | None, Block]]:
    """Return what a glimpse and what a judge say of each stretch."""
    tree = LocalTree(root)
    glimpse, judge = Glimpse(tree, (immutable,), young), Judge(tree, (immutable,))
    with BaseRows(manifest) as base:
        stretches = [
            Stretch(begin, end, base.between(begin, end).columns(), young=young)
            for begin, end in zip([b"", *cuts], [*cuts, None], strict=True)
        ]
    return [(glimpse.unchanged(stretch), judge(stretch)) for stretch in stretches]


@SETTINGS
@given(
    names=st.sets(st.sampled_from(FILES), min_size=1),
    cuts=st.sets(st.sampled_from([*FILES, "t", "t/b/", "t/b-", "t/b/x0", "v", "v/w"])),
    gone=st.none() | st.sampled_from(FILES),
    new=st.none() | st.sampled_from(["t/b/new", "t/new", "new", "v/w/new", "t/b-0"]),
    immutable=st.sampled_from(["*", "t*", "v/*"]),
    young=st.sets(st.sampled_from([b"t", b"t/b", b"v/w"])),
)
def test_what_is_seen_is_what_a_judge_finds(
    names: set[str], cuts: set[str], gone: str | None, new: str | None, immutable: str, young: Collection[bytes]
) -> None:
    with folder_in_memory() as memory:
        root, manifest = memory / "root", memory / "manifest.parquet"
        make(root, names)
        recorded(root, manifest)
        if gone is not None and (root / gone).is_file():
            (root / gone).unlink()
        if new is not None and (root / new).parent.is_dir():
            (root / new).write_bytes(b"new")
        found = glimpsed(root, manifest, sorted(map(str.encode, cuts)), immutable, young)
    for seen, judged in found:
        assert seen is None or (seen.counts, seen.folders, seen.findings) == (judged.counts, judged.folders, [])
        assert seen is not None or gone is not None or new is not None


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """A source that is the same in two points, so that its folders are old; as large as those that get helpers."""
    pair = make_pair(tmp_path / "pair")
    put(pair.source, {f"t{number % 5}/f{number:02d}": b"1" for number in range(20)})
    (pair.source / "t1" / "link").symlink_to("f01")
    (pair.source / "at-the-root").symlink_to("t1")
    pair.seal("P1", minute=1)
    pair.seal("P2", minute=2)
    monkeypatch.setattr(ranges, "MANY_ROWS", 0)
    return pair


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many helper processes were started, each time."""
    counts: list[int] = []
    begin = ranges.Helpers.__init__

    def counting(helpers: ranges.Helpers[Stretch, Block], work: Judge, count: int) -> None:
        counts.append(count)
        begin(helpers, work, count)

    monkeypatch.setattr(ranges.Helpers, "__init__", counting)
    return counts


def copied(pair: Pair, run: str, immutable: str) -> CopyReport:
    return copy_delta(
        pair.tree, pair.target, pair.base(), pair.catalog.workspace(run), final=True, immutable=(immutable,)
    )


@pytest.mark.parametrize("immutable", ["*", "t0"])
def test_where_nothing_changed_no_helper_starts(pair: Pair, started: list[int], immutable: str) -> None:
    report = copied(pair, "next", immutable)
    assert (report.listed, report.listed_files, report.reused, report.copied_files) == (27, 20, 20, 0)
    assert started == []


def test_what_changed_is_left_to_judges(pair: Pair, started: list[int]) -> None:
    put(pair.source, {"t3/new": b"2"})
    report = copied(pair, "next", "*")
    assert (report.listed_files, report.added, report.copied_files) == (21, 1, 1)
    assert started == [ranges.LISTERS]


def count_looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    looks: list[int] = []
    look = LocalTree.folder_rows

    def counting(tree: LocalTree, folders: Sequence[bytes]) -> Sequence[Row | None]:
        looks.append(len(folders))
        return look(tree, folders)

    monkeypatch.setattr(LocalTree, "folder_rows", counting)
    return looks


def test_a_tree_that_changes_everywhere_is_not_glimpsed_at_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, {f"root/t{number}/a": b"1" for number in range(9)})
    recorded(tmp_path / "root", tmp_path / "manifest")
    put(tmp_path, {f"root/t{number}/b": b"1" for number in range(8)})
    looks = count_looks(monkeypatch)
    found = glimpsed(tmp_path / "root", tmp_path / "manifest", [b"t%d" % number for number in range(1, 9)], "*", ())
    assert [seen for seen, _ in found] == [None] * 9
    assert len(looks) == 5
