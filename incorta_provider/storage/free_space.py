"""Refuse a copy that the target has no room for, before the first byte.

:raises PreconditionError: says what is needed and what is there.
"""

from __future__ import annotations

import os
from pathlib import Path

from incorta_provider.exceptions import PreconditionError

RESERVE_BYTES = 64 * 1024 * 1024
"""Room for the manifest, the index and the journal of a run."""


def ensure_room(folder: Path, *, size: int, files: int) -> None:
    """Check the file system that holds ``folder``.

    :param size: bytes that are about to be written.
    :param files: how many files; some file systems run out of inodes first.
    """
    facts = os.statvfs(folder)
    free = facts.f_bavail * facts.f_frsize
    if size and free < size + RESERVE_BYTES:
        raise _no_room(folder, f"{size} bytes are needed and {RESERVE_BYTES} kept in reserve, {free} are free")
    if facts.f_files and facts.f_favail < files:
        raise _no_room(folder, f"{files} files are to be made, and inodes are left for {facts.f_favail}")


def _no_room(folder: Path, what: str) -> PreconditionError:
    return PreconditionError(
        f"the target has no room: {what}",
        where=str(folder),
        fix="Nothing was copied. Free space there or enlarge the file system, then retry.",
    )
