"""Make and remove folders of any depth; the standard library recurses, and Python's stack ends at about 1,000."""
# Names are bytes, which pathlib does not take.
# ruff: noqa: PTH102, PTH106, PTH108, PTH112, PTH113

from __future__ import annotations

import os
from contextlib import suppress

from incorta_provider.dr.manifest import parent_of

MODE = 0o700
"""Folders of the catalog are for the worker's account only; those of the replica get their own mode at the end."""


def make_folders(path: bytes) -> None:
    """Make a folder and all that are missing above it; what is there is fine.

    :raises FileExistsError, NotADirectoryError: a file stands in the way.
    """
    missing = []
    while path and not os.path.isdir(path):
        missing.append(path)
        path = parent_of(path)
    for folder in reversed(missing):
        try:
            os.mkdir(folder, MODE)
        except FileExistsError:
            if not os.path.isdir(folder):
                raise


def make_folders_below(root: bytes, folder: bytes) -> None:
    """Make a folder below ``root``, and remove the file that stands where there must be a folder.

    :param folder: relative to ``root``; empty for itself.
    """
    path = root + b"/" + folder if folder else root
    try:
        make_folders(path)
    except (FileExistsError, NotADirectoryError):
        _remove_file_on(root, folder)
        make_folders(path)


def _remove_file_on(root: bytes, folder: bytes) -> None:
    while folder:
        path = root + b"/" + folder
        if os.path.isfile(path):
            os.unlink(path)
        folder = parent_of(folder)


def remove_tree(root: bytes) -> None:
    """Remove a folder with all that is in it; links are removed, not followed. An absent folder is fine."""
    waiting = [root]
    with suppress(FileNotFoundError):
        while waiting:
            below = _remove_files(waiting[-1])
            if below:
                waiting += below
            else:
                os.rmdir(waiting.pop())


def _remove_files(folder: bytes) -> list[bytes]:
    """Remove the files of one folder and return the folders in it."""
    below = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                below.append(entry.path)
            else:
                os.unlink(entry.path)
    return below
