"""The merge of two sorted lists, and what counts as a change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.dr.diff import (
    Change,
    ChangeKind,
    align,
    diff,
    looks_unchanged,
    same_content,
    same_entry,
    same_mtime,
)
from incorta_provider.dr.manifest import Entry
from tests.builders.storage import NS, file, folder, link, listed

PATHS = st.sampled_from([b"a", b"a-b", b"a/x", b"a/y", b"a0", b"b", b"b/\xff", b"\n"])
ENTRIES = st.one_of(
    st.builds(file, PATHS, st.sampled_from([b"", b"one", b"two", b"three"]), mode=st.sampled_from([0o600, 0o644])),
    st.builds(folder, PATHS, mode=st.sampled_from([0o700, 0o755])),
    st.builds(link, PATHS, st.sampled_from([b"a", b"b"])),
)
LISTS = st.lists(ENTRIES, unique_by=lambda entry: entry.path).map(
    lambda entries: sorted(entries, key=lambda entry: entry.path)
)


@given(LISTS, LISTS)
def test_the_changes_lead_from_the_old_list_to_the_new_one(old: list[Entry], new: list[Entry]) -> None:
    state = {entry.path: entry for entry in old}
    for change in diff(old, new):
        if change.new is None:
            assert change.kind is ChangeKind.REMOVED
            assert state.pop(change.old.path) == change.old  # type: ignore[union-attr]
        else:
            assert (change.kind is ChangeKind.ADDED) == (change.new.path not in state)
            assert state.get(change.new.path) == change.old
            state[change.new.path] = change.new
    assert sorted(state.values(), key=lambda entry: entry.path) == new


@given(LISTS, LISTS)
def test_there_and_back_are_mirrored(old: list[Entry], new: list[Entry]) -> None:
    there, back = list(diff(old, new)), list(diff(new, old))
    assert [(change.old, change.new) for change in there] == [(change.new, change.old) for change in back]


@given(LISTS)
def test_a_list_does_not_differ_from_itself(entries: list[Entry]) -> None:
    assert list(diff(entries, entries)) == []
    assert list(align(entries, entries)) == [(entry, entry) for entry in entries]


def test_the_lists_are_read_once_and_side_by_side() -> None:
    """Streams of millions must not be collected: after a few results, only a few entries have been read."""
    read = 0

    def stream() -> object:
        nonlocal read
        for number in range(1_000_000):
            read += 1
            yield file(b"%07d" % number)

    changes = diff([], stream())  # type: ignore[arg-type]
    assert next(changes) == Change(ChangeKind.ADDED, None, file(b"0000000"))
    assert read <= 2


@pytest.mark.parametrize(
    ("old", "new", "content", "entry"),
    [
        (file(b"a", b"1"), file(b"a", b"1"), True, True),
        (file(b"a", b"1"), file(b"a", b"2"), False, False),
        (file(b"a", b"1"), file(b"a", b"1", mode=0o600), True, False),
        (file(b"a", b"1"), file(b"a", b"1", mtime_ns=NS + 5_000_000_007), True, False),
        (file(b"a", b"1"), listed(file(b"a", b"2")), True, True),
        (file(b"a", b"1"), listed(file(b"a", b"22")), False, False),
        (folder(b"a"), folder(b"a", mode=0o700), True, False),
        (folder(b"a"), file(b"a"), False, False),
        (link(b"a", b"x"), link(b"a", b"x"), True, True),
        (link(b"a", b"x"), link(b"a", b"y"), False, False),
    ],
)
def test_what_counts_as_the_same(old: Entry, new: Entry, content: bool, entry: bool) -> None:
    assert same_content(old, new) == content
    assert same_content(new, old) == content
    assert same_entry(old, new) == entry
    assert same_entry(new, old) == entry


@pytest.mark.parametrize("step", [1_000_000_000, 1_000_000, 1_000, 100])
def test_a_storage_that_keeps_coarser_times_shows_no_change(step: int) -> None:
    """B46: nanoseconds at one side; seconds, milliseconds, microseconds or 100 ns at the other."""
    cut = NS // step * step
    rounded = (NS + step // 2) // step * step
    assert same_mtime(NS, cut)
    assert same_mtime(cut, NS)
    assert same_mtime(NS, rounded)
    assert not same_mtime(NS, cut + 2 * step)
    assert not same_mtime(NS, cut - step)


def test_two_coarse_times_one_step_apart_are_a_change() -> None:
    assert not same_mtime(1_700_000_000_000_000_000, 1_700_000_001_000_000_000)
    assert not same_mtime(1_700_000_000_001_000_000, 1_700_000_000_002_000_000)


@given(st.integers(0, 2**62), st.integers(0, 2**62))
def test_comparing_times_has_no_sides(one: int, other: int) -> None:
    assert same_mtime(one, other) == same_mtime(other, one)


def test_only_files_look_unchanged() -> None:
    assert looks_unchanged(file(b"a"), listed(file(b"a")))
    assert not looks_unchanged(folder(b"a"), folder(b"a"))
    assert not looks_unchanged(file(b"a", b""), folder(b"a"))
