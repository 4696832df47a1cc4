"""A source behind a real sshd: it lists and reads as the mounted one does."""

from __future__ import annotations

import os

import pytest

from incorta_provider.exceptions import IntegrityError, PreconditionError
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.ssh.tree import SshTree
from incorta_provider.storage.tree import Missed, RangedTree
from tests.builders.storage import HOSTILE_NAMES, put

pytestmark = pytest.mark.lab


def test_it_lists_what_a_mounted_tree_lists(root, source):
    put(root, {name: b"x" * number for number, name in enumerate(HOSTILE_NAMES)})
    put(root, {b"deep/" + name + b"/file": b"" for name in HOSTILE_NAMES})
    put(root, {"empty folder": None})
    (root / "link").symlink_to("deep/..hidden")
    source.check()
    assert list(source.list()) == list(LocalTree(root).list())


def test_ranges_put_together_are_the_whole(root, source):
    put(root, {f"{folder}/{name}": b"" for folder in "abc" for name in range(5)})
    whole = list(source.list())
    assert [*source.list(b"", b"a/3"), *source.list(b"a/3", b"c"), *source.list(b"c")] == whole


def test_patterns_are_held_against_names_at_the_node(root, primary):
    put(root, {"a/.tmp/x": b"", "a/b": b"", b"c-\xff.log": b""})
    listed = SshTree(primary(), bytes(root), ["*/.tmp/*", "*.log"]).list()
    assert [entry.path for entry in listed] == [b"a", b"a/b"]


def test_what_is_unfit_is_refused_with_its_place(root, source, primary):
    with pytest.raises(PreconditionError, match="the storage is empty") as caught:
        source.check()
    assert caught.value.where == f"ssh://berlin_node1{root}" == source.label
    with pytest.raises(PreconditionError, match="does not exist"):
        SshTree(primary(), bytes(root / "absent")).check()


def test_a_link_that_leads_out_is_refused_by_name(root, source):
    (root / "out").symlink_to("/etc/passwd")
    with pytest.raises(IntegrityError, match="symbolic link out leads out"):
        list(source.list())


def test_a_single_file_is_fetched_with_its_facts(root, source, tmp_path):
    put(root, {b"a\n\xff": os.urandom(700_000)})
    (entry,) = source.list()
    fetched = source.fetch(entry, bytes(tmp_path / "into"))
    assert fetched == LocalTree(root).fetch(entry, bytes(tmp_path / "other"))
    assert (tmp_path / "into").read_bytes() == (tmp_path / "other").read_bytes()
    assert (tmp_path / "into").stat().st_mtime_ns == entry.mtime_ns
    with pytest.raises(FileExistsError):
        source.fetch(entry, bytes(tmp_path / "into"))


def test_a_file_that_vanished_leaves_nothing(root, source, tmp_path):
    put(root, {"a": b"x"})
    (entry,) = source.list()
    (root / "a").unlink()
    assert source.fetch(entry, bytes(tmp_path / "into")) is Missed.VANISHED
    (root / "a").mkdir()
    assert source.fetch(entry, bytes(tmp_path / "into")) is Missed.UNSETTLED
    assert not (tmp_path / "into").exists()


def test_agents_are_used_again(root, source):
    put(root, {"a": b"x"})
    (before,) = source.node.call("hello")
    list(source.list())
    (after,) = source.node.call("hello")
    assert before.head["pid"] == after.head["pid"]


def test_a_pinned_tree_refuses_another_root(root, source):
    put(root, {"a": b"x"})
    pinned = source.pinned()
    assert list(pinned.list()) == list(source.list())
    root.rename(root.with_name("moved"))
    put(root, {"a": b"x"})
    with pytest.raises(IntegrityError, match="another folder than when the listing began"):
        list(pinned.list())


def test_a_tree_is_cut_as_a_mounted_one_is(root, source):
    put(root, {f"{folder}/{name}/x": b"" for folder in "abc" for name in range(5)})
    assert source.cuts(6) == LocalTree(root).cuts(6)
    assert isinstance(source, RangedTree)


def test_only_the_names_that_are_asked_for_are_told(root, source):
    put(root, {"a/1": b"", "a/2": b"", "a/3/x": b"", "b": b""})
    rows = source.rows()
    told = [next(rows)[0]]
    for row in iter(lambda: rows.send([b"2", b"3"] if told[-1] == b"a" else None), None):
        told.append(row[0])
        if row[0] == b"b":
            break
    assert told == [b"a", b"a/2", b"a/3", b"a/3/x", b"b"]
