"""Refuse a copy that the target has no room for, before the first byte.

:raises PreconditionError: says what is needed and what is there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from incorta_provider.exceptions import PreconditionError

RESERVE_BYTES = 64 * 1024 * 1024
"""Room for the manifest, the index and the journal of a run."""


@dataclass(frozen=True, slots=True)
class Room:
    """What a file system has left.

    :param size: bytes.
    :param files: inodes; None where it does not count them.
    """

    size: int
    files: int | None


def room(folder: Path) -> Room:
    """Ask the file system that holds ``folder``."""
    facts = os.statvfs(folder)
    return Room(facts.f_bavail * facts.f_frsize, facts.f_favail if facts.f_files else None)


def ensure_room(left: Room, where: str, *, size: int, files: int) -> None:
    """Compare what is left with what a copy needs.

    :param where: the file system, for the error.
    :param size: bytes that are about to be written.
    :param files: how many files and folders; some file systems run out of inodes first.
    """
    if size and left.size < size + RESERVE_BYTES:
        raise _no_room(where, f"{size} bytes are needed and {RESERVE_BYTES} kept in reserve, {left.size} are free")
    if left.files is not None and left.files < files:
        raise _no_room(where, f"{files} files and folders are to be made, and inodes are left for {left.files}")


def _no_room(where: str, what: str) -> PreconditionError:
    return PreconditionError(
        f"the target has no room: {what}",
        where=where,
        fix="Nothing was copied. Free space there or enlarge the file system, then retry.",
    )
