"""Folders of any depth."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from incorta_provider.storage.folders import make_folders, remove_tree
from tests.builders.storage import HOSTILE_NAMES, put


def test_a_chain_deeper_than_pythons_stack_is_made_and_removed(tmp_path: Path) -> None:
    root = os.fsencode(tmp_path) + b"/root"
    make_folders(root + b"/d" * 1500)
    make_folders(root + b"/d" * 1500)
    assert Path(os.fsdecode(root + b"/d" * 1500)).is_dir()
    remove_tree(root)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    put(tmp_path, {"a": b""})
    with pytest.raises(FileExistsError):
        make_folders(os.fsencode(tmp_path) + b"/a")
    with pytest.raises((FileExistsError, NotADirectoryError)):
        make_folders(os.fsencode(tmp_path) + b"/a/b")


def test_removing_does_not_follow_links(tmp_path: Path) -> None:
    put(tmp_path, {"keep/x": b"", "root/a/b/c": b"", "root/empty": None})
    put(tmp_path / "root", dict.fromkeys(HOSTILE_NAMES, b""))
    (tmp_path / "root" / "to-keep").symlink_to(tmp_path / "keep")
    remove_tree(os.fsencode(tmp_path / "root"))
    remove_tree(os.fsencode(tmp_path / "absent"))
    assert [path.name for path in tmp_path.iterdir()] == ["keep"]
    assert (tmp_path / "keep" / "x").exists()
