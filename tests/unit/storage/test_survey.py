"""What is copied, kept, carried and forgotten, for every combination of what was known."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incorta_provider.dr.diff import diff
from incorta_provider.dr.manifest import CODES, Entry, Kind, parent_of
from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.copying.staged_index import to_line
from incorta_provider.storage.copying.workspace import Pass, Workspace
from incorta_provider.storage.manifest import delta_file, manifest_file
from incorta_provider.storage.manifest.delta_file import DeltaWriter, path_of, read_delta
from incorta_provider.storage.manifest.manifest_file import ManifestWriter, read_manifest, read_totals
from incorta_provider.storage.survey import judging, ranges
from incorta_provider.storage.survey.baseline import Baseline
from incorta_provider.storage.survey.survey import Survey, survey
from incorta_provider.storage.tree import Missed, Parallel, Rows
from tests.builders.storage import file, folder, link, listed

OLD, NEW = file(b"f", b"old"), file(b"f", b"newer")


@dataclass(frozen=True)
class Listed:
    """A source that is only its listing."""

    entries: Sequence[Entry]
    label = "a list"

    def check(self) -> None: ...

    def list(self, begin: bytes = b"", end: bytes | None = None) -> Iterator[Entry]:
        return (listed(one) for one in self.entries if one.path >= begin and (end is None or one.path < end))

    def fetch(self, entry: Entry, into: bytes) -> Entry | Missed:
        raise AssertionError("a survey reads no file")


class ListedInBucket(Listed):
    """One without folders."""

    without_folders: Literal[True] = True


class ListedInRanges(Listed):
    """The same, for threads."""

    parallel: Parallel = "threads"

    def pinned(self) -> ListedInRanges:
        return self

    def cuts(self, wanted: int) -> Sequence[bytes]:
        return [one.path for one in self.entries if one.kind is Kind.DIR]

    def rows(self, begin: bytes = b"", end: bytes | None = None) -> Rows:
        for one in self.list(begin, end):
            yield one.path, CODES[one.kind], one.size, one.mtime_ns, one.mode, one.link_target, None


@pytest.fixture
def files(tmp_path: Path) -> Pass:
    workspace = Workspace(tmp_path)
    workspace.create()
    return workspace.new_pass()


def surveyed(
    files: Pass,
    listing: list[Entry],
    own: list[Entry],
    base: list[Entry],
    *,
    cut_off: bool = False,
    source: type[Listed] = Listed,
) -> tuple[list[Entry], list[Entry], Survey]:
    """Return what is published if nothing is copied, what is pending, and the counts.

    :param own: what this run has, from a complete pass; or of one that was cut off: then only its files, over ``base``.
    """
    carry = bool(own) and not cut_off
    known = Baseline(
        base=_manifest(files.seen.with_name("base"), base) if base else None,
        held=_delta(files.seen.with_name("held"), base, own) if carry else None,
        indexes=[_index(files.seen.with_name("staged"), own)] if cut_off else [],
    )
    found = survey(source(listing), known, files)
    before = {entry.path: entry for entry in base}
    draft = dict(before)
    for change in read_delta(files.draft):
        assert change.old == before.get(path_of(change))
        draft.pop(path_of(change), None)
        if change.new is not None:
            draft[change.new.path] = change.new
    return [draft[path] for path in sorted(draft)], list(read_manifest(files.pending)), found


def _manifest(path: Path, entries: list[Entry]) -> Path:
    with ManifestWriter(path) as writer:
        writer.extend(entries)
    return path


def _delta(path: Path, base: list[Entry], entries: list[Entry]) -> Path:
    with DeltaWriter(path, None) as writer:
        for change in diff(base, entries):
            writer.add(change)
    return path


def _index(path: Path, entries: list[Entry]) -> Path:
    path.write_bytes(b"".join(to_line(entry) for entry in entries if entry.kind is Kind.FILE))
    return path


@pytest.mark.parametrize(
    ("now", "own", "base", "draft", "pending"),
    [
        (OLD, None, None, None, OLD),
        (OLD, None, OLD, OLD, None),
        (OLD, OLD, None, OLD, None),
        (NEW, None, OLD, None, NEW),
        (NEW, OLD, None, OLD, NEW),
        (NEW, OLD, OLD, OLD, NEW),
        (NEW, NEW, OLD, NEW, None),
        (None, OLD, None, OLD, None),
        (None, NEW, OLD, NEW, None),
        (None, None, OLD, None, None),
        (None, None, folder(b"f"), None, None),
        (folder(b"f"), OLD, OLD, folder(b"f"), None),
        (folder(b"f"), None, folder(b"f", mode=0o700), folder(b"f"), None),
        (link(b"f", b"x"), OLD, None, link(b"f", b"x"), None),
        (link(b"f", b"x"), None, link(b"f", b"y"), link(b"f", b"x"), None),
        (OLD, None, folder(b"f"), None, OLD),
        (OLD, None, link(b"f", b"x"), None, OLD),
    ],
)
@pytest.mark.parametrize("cut_off", [False, True])
def test_one_path(
    files: Pass,
    now: Entry | None,
    own: Entry | None,
    base: Entry | None,
    draft: Entry | None,
    pending: Entry | None,
    cut_off: bool,
) -> None:
    """The source now, what this run has (from a whole pass or one that was cut off), and the point before."""
    given_lists = ([entry] if entry else [] for entry in (now, own, base))
    published, copied, _ = surveyed(files, *given_lists, cut_off=cut_off)
    assert published == ([draft] if draft else [])
    assert copied == ([listed(pending)] if pending else [])


@pytest.mark.parametrize("own", [folder(b"f"), link(b"f", b"x")])
def test_a_file_where_this_run_saw_something_else(files: Pass, own: Entry) -> None:
    assert surveyed(files, [OLD], [own], [])[:2] == ([], [listed(OLD)])


def test_a_file_that_went_back_to_the_point_before_needs_no_copy_after_a_pass_that_was_cut_off(files: Pass) -> None:
    assert surveyed(files, [OLD], [NEW], [OLD], cut_off=True)[:2] == ([OLD], [])


def test_a_file_that_only_got_another_mode_is_not_read(files: Pass) -> None:
    now = file(b"f", b"old", mode=0o600)
    assert surveyed(files, [now], [], [OLD])[:2] == ([now], [])


def test_a_coarser_time_is_no_change(files: Pass) -> None:
    now = file(b"f", b"old", mtime_ns=OLD.mtime_ns // 10**9 * 10**9)
    assert surveyed(files, [now], [], [OLD])[1] == []


def test_the_counts(files: Pass) -> None:
    own = [file(b"a"), file(b"b"), file(b"c"), folder(b"d"), file(b"d/x"), folder(b"e")]
    now = [file(b"a"), file(b"b", b"12"), folder(b"d"), file(b"new", b"345")]
    found = surveyed(files, now, own, [])[2]
    assert (found.counts.listed, found.counts.listed_files, found.counts.listed_bytes) == (4, 3, 6)
    assert (found.carried, found.pending_files, found.pending_bytes) == (2, 2, 5)


def test_what_changed_is_counted_from_the_point_before_whatever_this_run_has(files: Pass) -> None:
    base = [file(b"a"), file(b"b"), folder(b"d"), file(b"d/x"), file(b"d/y"), file(b"e"), file(b"m")]
    now = [file(b"a", b"12"), file(b"c"), folder(b"d"), folder(b"e"), file(b"m", mode=0o600)]
    own = [*base[:2], file(b"c"), *base[2:]]
    for cut_off in (False, True):
        counts = surveyed(files, now, own, base, cut_off=cut_off)[2].counts
        assert (counts.added, counts.changed, counts.removed) == (1, 1, 4)
        assert counts.removed_in == {b"", b"d"}


def test_a_pass_over_what_did_not_change_writes_nothing_down(files: Pass) -> None:
    tree = [file(b"a"), folder(b"d"), file(b"d/x"), link(b"l", b"a")]
    for source in (Listed, ListedInRanges):
        surveyed(files, tree, [], tree, source=source)
        assert read_totals(files.pending).entries == 0
        assert list(read_delta(files.draft)) == []


def test_what_is_carried_needs_its_folder(files: Pass) -> None:
    """The folder is carried too; but where a file took its place, nothing can be below it any more."""
    own = [folder(b"a"), file(b"a/x"), folder(b"b"), file(b"b/x"), folder(b"c"), file(b"c/x")]
    now = [file(b"b", b"now a file"), folder(b"c")]
    draft, pending, found = surveyed(files, now, own, [])
    assert draft == [folder(b"a"), file(b"a/x"), folder(b"c"), file(b"c/x")]
    assert pending == [listed(now[0])]
    assert found.carried == 2


def test_where_there_are_no_folders_none_is_needed(files: Pass) -> None:
    own = [file(b"a/x"), file(b"b/y")]
    draft, pending, found = surveyed(files, [file(b"b/y")], own, [], source=ListedInBucket)
    assert draft == own
    assert pending == []
    assert found.carried == 1


NAMES = st.sampled_from([b"a", b"a-", b"a0"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(b"/".join)


@st.composite
def trees(draw: st.DrawFn) -> list[Entry]:
    """Draw a list in which every entry's folder is there, as in a listing."""
    found: dict[bytes, Entry] = {}
    for path in sorted(draw(st.sets(PATHS, max_size=8))):
        holder = parent_of(path)
        if holder and (holder not in found or found[holder].kind is not Kind.DIR):
            continue
        content = draw(st.sampled_from([None, None, b"1", b"22", b"333"]))
        found[path] = folder(path) if content is None else file(path, content)
    return [found[path] for path in sorted(found)]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(now=trees(), own=trees(), base=trees(), cut_off=st.booleans())
def test_nothing_is_lost_and_nothing_hangs_in_the_air(
    files: Pass, now: list[Entry], own: list[Entry], base: list[Entry], cut_off: bool
) -> None:
    draft, pending, found = surveyed(files, now, own, base, cut_off=cut_off)
    published = {entry.path: entry for entry in draft} | {entry.path: entry for entry in pending}
    folders = {path for path, entry in published.items() if entry.kind is Kind.DIR}
    source = {entry.path: entry for entry in now}

    assert all(parent_of(path) in folders | {b""} for path in published)
    assert all(listed(published[path]) == listed(entry) for path, entry in source.items())
    assert set(published) - set(source) <= {entry.path for entry in own}
    assert all(entry.sha256 is not None for entry in draft if entry.kind is Kind.FILE)
    assert found.pending_files == len(pending)
    assert found.counts.listed == len(now)
    for entry in own:
        lost_by_the_cut = cut_off and entry.kind is Kind.DIR
        assert entry.path in published or lost_by_the_cut or parent_of(entry.path) not in folders | {b""}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(now=trees(), own=trees(), base=trees(), cut_off=st.booleans(), full=st.integers(1, 4), group=st.integers(1, 3))
def test_stretches_beside_each_other_find_what_one_listing_finds(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    now: list[Entry],
    own: list[Entry],
    base: list[Entry],
    cut_off: bool,
    full: int,
    group: int,
) -> None:
    results = []
    for source, rows in ((Listed, 0), (ListedInRanges, 0), (ListedInRanges, 3)):
        with monkeypatch.context() as patch:
            patch.setattr(ranges, "MANY_ROWS", rows)
            if source is ListedInRanges:
                patch.setattr(judging, "BLOCK_FINDINGS", full)
                patch.setattr(ranges, "LISTERS", 2)
                patch.setattr(ranges, "GROUPS", 1)
                patch.setattr(manifest_file, "GROUP_ROWS", group)
                patch.setattr(delta_file, "GROUP_ROWS", group)
            workspace = Workspace(Path(tempfile.mkdtemp(dir=tmp_path)))
            workspace.create()
            results.append(surveyed(workspace.new_pass(), now, own, base, cut_off=cut_off, source=source))
    assert results[1] == results[0]
    assert results[2] == results[0]


OUTSIDE = [b"../../../live.json", b"/etc/passwd", b"a/../../x", b"a//x", b"a/./x", b"..", b"a\0b", b""]


@pytest.mark.parametrize("source", [Listed, ListedInRanges])
@pytest.mark.parametrize("path", OUTSIDE)
def test_a_name_that_leaves_the_root_is_refused_by_every_source(files: Pass, path: bytes, source: type[Listed]) -> None:
    listing = sorted([file(b"before"), file(path), file(b"z")])
    with pytest.raises(IntegrityError, match="no path inside"):
        surveyed(files, listing, [], [], source=source)
    assert not files.pending.exists()
    with pytest.raises(IntegrityError, match="no path inside"):
        surveyed(files, sorted([file(b"z"), folder(path)]), [], [file(b"z")], source=source)


@pytest.mark.parametrize("target", [b"/etc", b"../x", b"b/../../x", b"../root/x"])
def test_a_link_that_leaves_the_root_is_refused_by_every_source(files: Pass, target: bytes) -> None:
    with pytest.raises(IntegrityError, match="symbolic link l leads out") as caught:
        surveyed(files, [file(b"a"), link(b"l", target)], [], [])
    assert caught.value.what.endswith(f", to {target.decode()}")


def test_keys_that_go_to_another_bucket_are_no_paths(files: Pass) -> None:
    listing = [file(b"../x"), file(b"a//x")]
    assert surveyed(files, listing, [], [], source=ListedInBucket)[1] == list(map(listed, listing))


def test_folders_that_the_target_has_to_make_are_counted(files: Pass) -> None:
    listing = [folder(b"a"), file(b"a/x"), folder(b"b"), folder(b"c")]
    assert surveyed(files, listing, [], [folder(b"b", mode=0o700)])[2].new_folders == 2
