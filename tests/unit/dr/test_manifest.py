"""The order of manifests, and what a stream in that order remembers."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.dr.manifest import (
    Entry,
    Kind,
    OpenFolders,
    in_path_order,
    is_safe,
    parent_of,
    shown,
    sort_key,
)

# Characters around "/" in byte order, where the order of paths and that of names part.
NAMES = (
    st.binary(min_size=1, max_size=3)
    .map(lambda raw: bytes(b"!-./0a\xff"[byte % 7] for byte in raw))
    .map(lambda name: name.replace(b"/", b"~"))
)
TREES = st.recursive(st.none(), lambda below: st.dictionaries(NAMES, below, max_size=5), max_leaves=30)
Tree = dict[bytes, "Tree | None"]


def paths_of(tree: Tree, prefix: bytes = b"") -> list[tuple[bytes, bool]]:
    """Return every path of a tree with whether it is a folder, in no special order."""
    found = []
    for name, below in tree.items():
        found.append((prefix + name, below is not None))
        found += paths_of(below or {}, prefix + name + b"/")
    return found


def walk(tree: Tree, prefix: bytes = b"") -> list[bytes]:
    """Walk a tree with :func:`in_path_order`, as a lister does."""
    found: list[bytes] = []
    steps = in_path_order(sorted(tree))
    answer: bool | None = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration:
            return found
        answer = None
        if step.endswith(b"/"):
            found += walk(tree[step[:-1]] or {}, prefix + step)
        else:
            found.append(prefix + step)
            answer = tree[step] is not None


@given(TREES.filter(lambda tree: tree is not None))
def test_a_walk_in_path_order_is_sorted_by_the_bytes_of_whole_paths(tree: Tree) -> None:
    everything = [path for path, _ in paths_of(tree)]
    assert walk(tree) == sorted(everything)
    assert walk(tree) == sorted(everything, key=sort_key)


def test_what_a_folder_holds_may_come_far_behind_it() -> None:
    tree: Tree = {b"a": {b"x": None}, b"a-b": {b"y": None}, b"a.c": None, b"a0": None}
    assert walk(tree) == [b"a", b"a-b", b"a-b/y", b"a.c", b"a/x", b"a0"]


@given(TREES.filter(lambda tree: tree is not None), st.randoms(use_true_random=False))
def test_open_folders_know_what_they_hold(tree: Tree, random: object) -> None:
    entered: set[bytes] = set()
    folders = OpenFolders()
    for path, is_folder in sorted(paths_of(tree)):
        ancestors = {path[:end] for end in range(len(path)) if path[end : end + 1] == b"/"}
        assert folders.contains(path) == bool(ancestors & entered)
        assert folders.has_parent_of(path) == (parent_of(path) in entered or b"/" not in path)
        if is_folder and random.random() < 0.6:  # type: ignore[attr-defined]
            folders.enter(path)
            entered.add(path)


def test_open_folders_forget_what_has_passed() -> None:
    folders = OpenFolders()
    for number in range(1000):
        folders.enter(b"folder%04d" % number)
        assert folders.contains(b"folder%04d/x" % number)
    assert len(folders._prefixes) == 1


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        (b"a", True),
        (b"a/b.c/..d", True),
        (b"a\nb", True),
        (b"", False),
        (b"/etc/passwd", False),
        (b"a//b", False),
        (b"a/", False),
        (b"./a", False),
        (b"a/../b", False),
        (b"..", False),
        (b"a\0b", False),
    ],
)
def test_a_safe_path_stays_inside_the_root(path: bytes, safe: bool) -> None:
    assert is_safe(path) == safe


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (b"plain/file", "plain/file"),
        ("größe/表🙂".encode(), "größe/表🙂"),
        (b"line\nbreak\x1b[31m", r"line\nbreak\x1b[31m"),
        (b"\xff\xfe", r"\xff\xfe"),
        ("right\u202eleft".encode(), r"right\u202eleft"),
    ],
)
def test_a_name_is_shown_as_one_harmless_line(path: bytes, text: str) -> None:
    assert shown(path) == text


def test_entries_survive_a_pipe_between_processes() -> None:
    entry = Entry(b"a\xff", Kind.FILE, 5, 6, 0o640, bytes(32), None)
    assert pickle.loads(pickle.dumps(entry)) == entry
