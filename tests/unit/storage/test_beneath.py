"""Files are opened below a root, never through a link that took the place of a folder."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.storage.local.beneath import Beneath
from incorta_provider.storage.local.copy import copy_proven, read_small
from incorta_provider.storage.tree import Missed
from tests.builders.handles import open_handles
from tests.builders.storage import file, put

FLAGS = os.O_RDONLY | os.O_NOFOLLOW


@pytest.fixture
def home(tmp_path: Path) -> Path:
    put(tmp_path, {"root/top": b"top", "root/t/u/a": b"a", "root/t/u/b": b"b", "outside/u/a": b"secret"})
    put(tmp_path, {"outside/u/b": b"secret", "outside/u/c": b"secret"})
    return tmp_path


def content(below: Beneath, path: bytes) -> bytes:
    handle = below.open(path, FLAGS)
    try:
        return os.read(handle, 100)
    finally:
        os.close(handle)


def swap(home: Path) -> None:
    (home / "root" / "t").rename(home / "root" / "away")
    (home / "root" / "t").symlink_to(home / "outside")


def test_files_of_several_folders_are_opened_and_nothing_stays_open(home: Path) -> None:
    before = open_handles()
    with Beneath(os.fsencode(home / "root")) as below:
        assert [content(below, path) for path in (b"t/u/a", b"t/u/b", b"top", b"t/u/a")] == [b"a", b"b", b"top", b"a"]
        with pytest.raises(FileNotFoundError):
            below.open(b"t/no/a", FLAGS)
        assert content(below, b"t/u/b") == b"b"
    assert open_handles() - before == set()


def test_a_tree_may_be_deeper_than_handles_are_kept(home: Path) -> None:
    deep, deeper = "d/" * 40, "d/" * 41
    put(home / "root", {f"{deep}a": b"1", f"{deep}e/b": b"2", f"{deeper}c": b"3", "d/d/x": b"4", "e/b": b"wrong"})
    wanted = [f"{deep}a", f"{deep}e/b", f"{deeper}c", "d/d/x", f"{deep}a", "top"]
    with Beneath(os.fsencode(home / "root")) as below:
        assert [content(below, os.fsencode(path)) for path in wanted] == [b"1", b"2", b"3", b"4", b"1", b"top"]
        before = open_handles()
        content(below, os.fsencode(f"{deep}a"))
        assert len(open_handles() - before) < 20


def test_the_root_itself_may_be_a_link(home: Path) -> None:
    (home / "link").symlink_to("root")
    with Beneath(os.fsencode(home / "link")) as below:
        assert content(below, b"t/u/a") == b"a"


def test_a_folder_that_was_replaced_is_entered_anew(home: Path) -> None:
    with Beneath(os.fsencode(home / "root")) as below:
        assert content(below, b"t/u/a") == b"a"
        (home / "root" / "t").rename(home / "root" / "away")
        put(home, {"root/t/u/new": b"new"})
        assert content(below, b"t/u/new") == b"new"


def test_so_is_one_that_is_looked_into(home: Path) -> None:
    with Beneath(os.fsencode(home / "root")) as below:
        assert below.lstat(b"t/u/a").st_size == 1
        (home / "root" / "t").rename(home / "root" / "away")
        put(home, {"root/t/u/new": b"new"})
        assert below.lstat(b"t/u/new").st_size == 3


def test_a_handle_that_is_stale_is_no_fault_of_the_path(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS says so of a folder that another machine replaced."""
    stale = [OSError(errno.ESTALE, os.strerror(errno.ESTALE))]
    with Beneath(os.fsencode(home / "root")) as below:
        assert below.lstat(b"t/u/a").st_size == 1
        opened = os.open

        def once(*args: Any, **named: Any) -> int:
            if stale:
                raise stale.pop()
            return opened(*args, **named)

        monkeypatch.setattr(os, "open", once)
        assert content(below, b"t/u/b") == b"b"


def test_a_folder_that_was_swapped_for_a_link_is_not_walked_through(home: Path) -> None:
    with Beneath(os.fsencode(home / "root")) as below:
        assert content(below, b"t/u/a") == b"a"
        swap(home)
        with pytest.raises(OSError, match=r"Not a directory|Too many levels") as caught:
            below.open(b"t/u/c", FLAGS)
    assert caught.value.errno in {errno.ENOTDIR, errno.ELOOP}


def test_a_file_behind_such_a_link_has_vanished(home: Path) -> None:
    swap(home)
    root = os.fsencode(home / "root")
    assert copy_proven(root, file(b"t/u/a"), os.fsencode(home / "copy")) is Missed.VANISHED
    assert not (home / "copy").exists()
    assert read_small(root, file(b"t/u/a"), 100) is Missed.VANISHED
