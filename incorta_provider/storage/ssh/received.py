"""Take what rsync brought into a staging area: with its digest, its time and its mode.

rsync writes to a folder of its own, which nothing reads: a file that is not whole, or that changed meanwhile, never
lies under its final name. A folder that came whole and is new in the area takes one rename, because on a busy disk a
rename for each of many small files costs as much as writing them. This module needs only the standard library, because
it also runs at nodes.
"""
# Names are bytes, which pathlib does not take.
# ruff: noqa: PTH105, PTH208

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import groupby

from incorta_provider.dr.manifest import Entry, parent_of
from incorta_provider.storage.digests import read
from incorta_provider.storage.faults import target_fault
from incorta_provider.storage.folders import make_folders_below, remove_tree


def adopt(incoming: bytes, area: bytes, entries: Sequence[Entry]) -> list[bytes | None]:
    """Move files from ``incoming`` to ``area`` and return the digest of each; None for one that is not as it should be.

    :param entries: what should have come: size, time and mode; and the digest where that is known before.
    :raises DrError: the area cannot be written.
    """
    try:
        digests = [_finished(incoming + b"/" + entry.path, entry) for entry in entries]
        good = [entry.path for entry, digest in zip(entries, digests, strict=True) if digest is not None]
        for folder, paths in groupby(good, key=parent_of):
            _place(incoming, area, folder, list(paths))
    except OSError as error:
        raise target_fault(error, os.fsdecode(area)) from None
    return digests


def _finished(arrived: bytes, entry: Entry) -> bytes | None:
    """Set time and mode of a file that is as it should be, and return its digest."""
    reading = read(arrived)
    if reading.size != entry.size or entry.sha256 not in {None, reading.sha256}:
        return None
    os.chmod(arrived, entry.mode)  # noqa: PTH101
    os.utime(arrived, ns=(entry.mtime_ns, entry.mtime_ns))
    return reading.sha256


def _place(incoming: bytes, area: bytes, folder: bytes, paths: Sequence[bytes]) -> None:
    """Move files of one folder: with the folder, where that holds nothing else and is not there yet."""
    source, target = incoming + b"/" + folder, area + b"/" + folder
    if folder and not os.path.lexists(target) and len(os.listdir(source)) == len(paths):
        make_folders_below(area, parent_of(folder))
        try:
            os.rename(source, target)  # noqa: PTH104
        except OSError:
            pass  # another batch has made the folder meanwhile
        else:
            return
    make_folders_below(area, folder)
    for path in paths:
        _place_file(incoming + b"/" + path, area + b"/" + path)


def _place_file(arrived: bytes, final: bytes) -> None:
    try:
        os.replace(arrived, final)
    except IsADirectoryError:
        remove_tree(final)
        os.replace(arrived, final)
