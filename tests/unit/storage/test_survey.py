"""What is copied, kept, carried and forgotten, for every combination of what was known."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incorta_provider.dr.manifest import Entry, Kind, parent_of
from incorta_provider.storage.manifest_file import read_manifest, read_totals
from incorta_provider.storage.survey import Survey, survey
from incorta_provider.storage.workspace import Pass, Workspace
from tests.builders.storage import file, folder, link, listed

OLD, NEW = file(b"f", b"old"), file(b"f", b"newer")


@pytest.fixture
def files(tmp_path: Path) -> Pass:
    workspace = Workspace(tmp_path)
    workspace.create()
    return workspace.new_pass()


def surveyed(
    files: Pass, listing: list[Entry], own: list[Entry], base: list[Entry], *, cut_off: bool = False
) -> tuple[list[Entry], list[Entry], Survey]:
    """Return what is published if nothing is copied, what is pending, and the counts.

    :param own: what this run has, from a complete pass; or of one that was cut off: then only its files, over ``base``.
    """
    carry = bool(own) and not cut_off
    held = own if carry else base
    staged = [entry for entry in own if entry.kind is Kind.FILE] if cut_off else []
    found = survey(map(listed, listing), held, staged, files, carry=carry)
    draft = {entry.path: entry for entry in held}
    for entry in read_manifest(files.gone):
        del draft[entry.path]
    draft |= {entry.path: entry for entry in read_manifest(files.known)}
    return [draft[path] for path in sorted(draft)], list(read_manifest(files.pending)), found


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
    assert found == Survey(listed=4, listed_files=3, carried=2, pending_files=2, pending_bytes=5)


def test_a_pass_over_what_did_not_change_writes_nothing_down(files: Pass) -> None:
    tree = [file(b"a"), folder(b"d"), file(b"d/x"), link(b"l", b"a")]
    survey(map(listed, tree), tree, [], files, carry=False)
    assert [read_totals(path).entries for path in (files.pending, files.known, files.gone)] == [0, 0, 0]


def test_what_is_carried_needs_its_folder(files: Pass) -> None:
    """The folder is carried too; but where a file took its place, nothing can be below it any more."""
    own = [folder(b"a"), file(b"a/x"), folder(b"b"), file(b"b/x"), folder(b"c"), file(b"c/x")]
    now = [file(b"b", b"now a file"), folder(b"c")]
    draft, pending, found = surveyed(files, now, own, [])
    assert draft == [folder(b"a"), file(b"a/x"), folder(b"c"), file(b"c/x")]
    assert pending == [listed(now[0])]
    assert found.carried == 2


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
    assert found.listed == len(now)
    for entry in own:
        lost_by_the_cut = cut_off and entry.kind is Kind.DIR
        assert entry.path in published or lost_by_the_cut or parent_of(entry.path) not in folders | {b""}
