"""Take what rsync brought into a staging area: with its digest, its time and its mode, by one rename a file.

rsync writes to a folder of its own, which nothing reads: a file that is not whole, or that changed meanwhile, never
lies under its final name. The standard library is all that this module needs, for it is used at nodes too.
"""
# Names are bytes, which pathlib does not take.
# ruff: noqa: PTH105, PTH108, PTH113

from __future__ import annotations

import os
from collections.abc import Sequence

from incorta_provider.dr.manifest import Entry, parent_of
from incorta_provider.storage.digests import read
from incorta_provider.storage.faults import target_fault
from incorta_provider.storage.folders import make_folders, remove_tree


def adopt(incoming: bytes, area: bytes, entries: Sequence[Entry]) -> list[bytes | None]:
    """Move files from ``incoming`` to ``area`` and return the digest of each; None for one that is not as it should be.

    :param entries: what should have come: size, time and mode; and the digest where that is known before.
    :raises DrError: the area cannot be written.
    """
    digests: list[bytes | None] = []
    made: bytes | None = None
    try:
        for entry in entries:
            arrived = incoming + b"/" + entry.path
            reading = read(arrived)
            if reading.size != entry.size or entry.sha256 not in {None, reading.sha256}:
                digests.append(None)
                continue
            os.chmod(arrived, entry.mode)  # noqa: PTH101
            os.utime(arrived, ns=(entry.mtime_ns, entry.mtime_ns))
            folder = parent_of(entry.path)
            if folder != made:
                _make_folder(area, folder)
                made = folder
            _place(arrived, area + b"/" + entry.path)
            digests.append(reading.sha256)
    except OSError as error:
        raise target_fault(error, os.fsdecode(area)) from None
    return digests


def _place(arrived: bytes, final: bytes) -> None:
    try:
        os.replace(arrived, final)
    except IsADirectoryError:
        remove_tree(final)
        os.replace(arrived, final)


def _make_folder(area: bytes, folder: bytes) -> None:
    path = area + b"/" + folder if folder else area
    try:
        make_folders(path)
    except (FileExistsError, NotADirectoryError):
        _remove_file_on(area, folder)
        make_folders(path)


def _remove_file_on(area: bytes, folder: bytes) -> None:
    """Remove the staged file that stands where the source has a folder by now."""
    while folder:
        path = area + b"/" + folder
        if os.path.isfile(path):
            os.unlink(path)
        folder = parent_of(folder)
