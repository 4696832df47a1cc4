"""Listing and checking a local tree."""

from __future__ import annotations

import errno
import os
import pickle
import socket
import tempfile
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.exceptions import DrError, IntegrityError, PreconditionError, TransientError
from incorta_provider.storage.folders import make_folders, remove_tree
from incorta_provider.storage.local import walk as local_walk
from incorta_provider.storage.local.tree import LocalTree
from tests.builders.storage import HOSTILE_NAMES, folder_for_nobody, give_to_nobody, put, run_as_nobody


def paths(root: Path, *exclude: str) -> list[bytes]:
    return [entry.path for entry in LocalTree(root, exclude).list()]


def refusal(root: Path) -> DrError:
    with pytest.raises(DrError) as caught:
        list(LocalTree(root).list())
    return caught.value


def test_everything_is_listed_once_in_path_order(tmp_path: Path) -> None:
    put(tmp_path, {"a/x": b"1", "a/y/z": b"22", "a-b": b"", "a.c/d": b"", "empty": None, "b": b"333"})
    assert paths(tmp_path) == [b"a", b"a-b", b"a.c", b"a.c/d", b"a/x", b"a/y", b"a/y/z", b"b", b"empty"]


NAMES = st.sampled_from([b"a", b"a-", b"a.", b"a0", b"b"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(b"/".join)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=st.sets(PATHS, max_size=10), cuts=st.sets(st.one_of(PATHS, st.binary(max_size=3)), max_size=3))
def test_ranges_put_together_are_the_whole(tmp_path: Path, tree: set[bytes], cuts: set[bytes]) -> None:
    root = Path(tempfile.mkdtemp(dir=tmp_path))
    for path in tree:
        make_folders(os.fsencode(root) + b"/" + path)
    whole = list(LocalTree(root).list())
    assert [entry.path for entry in whole] == sorted(entry.path for entry in whole)
    begins = [b"", *sorted(cuts)]
    ranges = [list(LocalTree(root).list(begin, end)) for begin, end in zip_longest(begins, begins[1:])]
    assert [entry for listed in ranges for entry in listed] == whole


def test_a_range_does_not_look_into_folders_outside_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, {f"{name}/x": b"" for name in "abcd"})
    looked: list[bytes] = []
    listdir = os.listdir

    def look(path: bytes) -> list[bytes]:
        looked.append(path[-2:])
        return listdir(path)

    monkeypatch.setattr(os, "listdir", look)
    assert [entry.path for entry in LocalTree(tmp_path).list(b"b/", b"c/")] == [b"b/x", b"c"]
    assert looked[1:] == [b"b/"]


def test_a_folder_that_is_passed_over_is_not_read(tmp_path: Path) -> None:
    put(tmp_path, {"a/deep/x": b"", "a/y": b"", "b/x": b""})
    rows = LocalTree(tmp_path).rows()
    assert next(rows)[0] == b"a"
    assert rows.send([b"deep"])[0] == b"a/deep"
    assert [row[0] for row in rows] == [b"a/deep/x", b"b", b"b/x"]


def test_a_pinned_tree_refuses_another_root(tmp_path: Path) -> None:
    """An unmount that comes and goes between two ranges."""
    root = tmp_path / "root"
    put(root, {"a": b""})
    pinned = LocalTree(root, ("*.log",)).pinned()
    assert [entry.path for entry in pickle.loads(pickle.dumps(pinned)).list()] == [b"a"]
    root.rename(tmp_path / "was")
    root.mkdir()
    with pytest.raises(IntegrityError, match="another folder than when the listing began"):
        list(pinned.list())


def test_cuts_are_folders(tmp_path: Path) -> None:
    put(tmp_path, {f"{name}/{below}/x": b"" for name in "ab" for below in "cd"})
    assert LocalTree(tmp_path).cuts(2) == [b"a", b"b"]
    assert LocalTree(tmp_path).cuts(3) == [b"a", b"a/c", b"a/d", b"b"]
    assert LocalTree(tmp_path).cuts(99) == [b"a", b"a/c", b"a/d", b"b", b"b/c", b"b/d"]


def test_an_entry_has_the_facts_of_its_file_and_no_digest(tmp_path: Path) -> None:
    put(tmp_path, {"a": b"12345"})
    os.utime(tmp_path / "a", ns=(1, 1_700_000_000_123_456_789))
    (tmp_path / "a").chmod(0o4751)
    assert list(LocalTree(tmp_path).list()) == [Entry(b"a", Kind.FILE, 5, 1_700_000_000_123_456_789, 0o751)]


def test_hostile_names_are_listed_as_they_are(tmp_path: Path) -> None:
    put(tmp_path, {name + b"/" + name: b"x" for name in HOSTILE_NAMES})
    expected = sorted([*HOSTILE_NAMES, *(name + b"/" + name for name in HOSTILE_NAMES)])
    assert paths(tmp_path) == expected


def test_a_tree_deeper_than_pythons_stack_is_listed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    make_folders(os.fsencode(root) + b"/d" * 1500)
    found = paths(root)
    remove_tree(os.fsencode(root))
    assert len(found) == 1500
    assert found[-1] == b"/".join([b"d"] * 1500)


def test_hard_links_and_sparse_files_are_files(tmp_path: Path) -> None:
    put(tmp_path, {"a": b"1"})
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    with (tmp_path / "sparse").open("wb") as sparse:
        sparse.truncate(1 << 40)
    assert [(entry.path, entry.kind, entry.size) for entry in LocalTree(tmp_path).list()] == [
        (b"a", Kind.FILE, 1),
        (b"b", Kind.FILE, 1),
        (b"sparse", Kind.FILE, 1 << 40),
    ]


def test_what_is_excluded_is_not_even_looked_at(tmp_path: Path) -> None:
    put(tmp_path, {"t/.tmp/half": b"", "t/data": b"", "x.log": b""})
    os.mkfifo(tmp_path / "t" / ".tmp" / "pipe")
    (tmp_path / "out.log").symlink_to("/etc/passwd")
    assert paths(tmp_path, "*/.tmp/*", "*.log") == [b"t", b"t/data"]


@pytest.mark.parametrize("target", ["x", "../a/x", "nowhere", "b/../../top", "../to-folder/x"])
def test_a_link_that_stays_inside_travels_as_text(tmp_path: Path, target: str) -> None:
    put(tmp_path, {"a/x": b"1", "top": b"1"})
    (tmp_path / "to-folder").symlink_to("a")
    (tmp_path / "a" / "link").symlink_to(target)
    found = {entry.path: entry for entry in LocalTree(tmp_path).list()}
    assert found[b"a/link"].kind is Kind.LINK
    assert found[b"a/link"].link_target == target.encode()
    assert b"to-folder/x" not in found


def test_links_in_a_circle_are_only_text(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    assert paths(tmp_path) == [b"one", b"two"]


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "a/../../secret", ".."])
def test_a_link_that_leaves_the_root_is_refused_by_name(tmp_path: Path, target: str) -> None:
    root = tmp_path / "root"
    put(root, {"a/x": b"1"})
    (root / "link").symlink_to(target)
    error = refusal(root)
    assert isinstance(error, IntegrityError)
    assert "link leads out of the storage" in error.what


def test_a_link_that_leaves_the_root_over_another_link_is_refused(tmp_path: Path) -> None:
    """As text it stays inside; resolved, it goes up twice from a folder that is only one deep."""
    root = tmp_path / "root"
    put(root, {"top/x": b"", "p/q/x": b""})
    (root / "p/q/d").symlink_to("../../top")
    (root / "p/q/l").symlink_to("d/../../x")
    assert "p/q/l leads out" in refusal(root).what


def test_an_absolute_link_into_the_root_is_refused_because_the_root_is_elsewhere_at_the_other_site(
    tmp_path: Path,
) -> None:
    put(tmp_path, {"a": b""})
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert "leads out" in refusal(tmp_path).what


def test_special_files_are_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe\n")
    assert r"pipe\n is a device, socket or pipe" in refusal(tmp_path).what
    (tmp_path / "pipe\n").unlink()
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        assert "socket is a device, socket or pipe" in refusal(tmp_path).what


def test_what_vanishes_while_it_is_listed_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_walk, "_AT_ONCE", 1)
    put(tmp_path, {"a": b"", "b/x": b"", "c": b""})
    listing = LocalTree(tmp_path).list()
    assert next(listing).path == b"a"
    (tmp_path / "b" / "x").unlink()
    (tmp_path / "b").rmdir()
    assert [entry.path for entry in listing] == [b"c"]


def test_a_folder_that_vanishes_behind_its_own_entry_is_an_empty_folder(tmp_path: Path) -> None:
    put(tmp_path, {"b/x": b"", "c": b""})
    listing = LocalTree(tmp_path).list()
    assert next(listing).path == b"b"
    (tmp_path / "b").rename(tmp_path.parent / "moved")
    assert [entry.path for entry in listing] == [b"c"]


def test_a_root_that_is_replaced_under_the_listing_is_refused(tmp_path: Path) -> None:
    """B40: an unmount in the middle shows an empty folder where the file system was."""
    root = tmp_path / "root"
    put(root, {"a": b"", "b": b""})
    listing = LocalTree(root).list()
    assert next(listing).path == b"a"
    root.rename(tmp_path / "was")
    root.mkdir()
    with pytest.raises(IntegrityError, match="another folder than when the listing began"):
        list(listing)


def test_a_root_that_disappears_is_an_error(tmp_path: Path) -> None:
    root = tmp_path / "root"
    put(root, {"a": b"", "b": b""})
    listing = LocalTree(root).list()
    assert next(listing).path == b"a"
    root.rename(tmp_path / "was")
    with pytest.raises(TransientError, match="reading the root failed"):
        list(listing)


def test_a_root_must_exist_be_a_folder_and_hold_something(tmp_path: Path) -> None:
    put(tmp_path, {"file": b"", "empty": None, "only-excluded/x.tmp": b""})
    for name, what in (("absent", "does not exist"), ("file", "is not a folder"), ("empty", "is empty")):
        with pytest.raises(PreconditionError, match=what) as caught:
            LocalTree(tmp_path / name).check()
        assert caught.value.where == str(tmp_path / name)
    with pytest.raises(PreconditionError, match="is empty"):
        LocalTree(tmp_path / "only-excluded", ("*.tmp",)).check()
    LocalTree(tmp_path).check()


@pytest.fixture
def reachable() -> Iterator[Path]:
    """Lend a folder that a user without special rights can reach."""
    with folder_for_nobody() as root:
        yield root


def test_a_folder_that_may_not_be_read_is_an_error_and_never_an_empty_folder(reachable: Path) -> None:
    put(reachable, {"a": b"", "locked/x": b"", "z": b""})
    give_to_nobody(reachable)
    (reachable / "locked").chmod(0)
    printed = run_as_nobody("print(list(LocalTree(root).list()))", reachable)
    assert printed == "IntegrityError: cannot read locked/: Permission denied\n"


def test_a_root_that_may_not_be_read_is_refused(reachable: Path) -> None:
    put(reachable / "root", {"a": b""})
    give_to_nobody(reachable)
    (reachable / "root").chmod(0)
    printed = run_as_nobody("LocalTree(root / 'root').check()", reachable)
    assert printed == "PreconditionError: the storage cannot be read: Permission denied\n"


@pytest.mark.parametrize("call", ["listdir", "stat", "open"])
def test_a_stale_handle_is_not_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    put(tmp_path, {"a": b"1", "t/b": b"2"})
    real, stale = getattr(os, call), [True]

    def fail(path: str | bytes | Path, *args: object, **kwargs: object) -> object:
        if stale[0] and os.fsencode(path).endswith((b"/t/", b"b")):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(TransientError, match="Stale file handle"):
        list(LocalTree(tmp_path).list())
    stale[0] = False
    assert paths(tmp_path) == [b"a", b"t", b"t/b"]


def test_what_is_gone_by_its_path_too_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS says ESTALE of a folder that was removed between its own row and its names."""
    put(tmp_path, {"a": b"1", "t/b": b"2"})
    listdir = os.listdir

    def removed(path: bytes) -> list[bytes]:
        if path.endswith(b"/t/"):
            remove_tree(path[:-1])
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return listdir(path)

    monkeypatch.setattr(os, "listdir", removed)
    assert paths(tmp_path) == [b"a", b"t"]
