"""What stands at a path, as the means of the storage itself show it; nothing of the provider is asked."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Found:
    """One file, folder or link.

    :param kind: ``file``, ``dir`` or ``link``.
    :param content: of a file its bytes, of a link its text.
    :param mode: permission bits; None where the storage has none.
    :param mtime_ns: of a file; None where the storage cannot keep it.
    """

    kind: str
    content: bytes = b""
    mode: int | None = None
    mtime_ns: int | None = None

    def told(self, unit_ns: int, *, modes: bool) -> Found:
        """Return it with its time as whole units, and without permission bits where they are not told."""
        mtime = None if self.mtime_ns is None else self.mtime_ns // unit_ns
        return replace(self, mtime_ns=mtime, mode=self.mode if modes else None)


Tree = Mapping[bytes, Found]


def read_folder(root: Path) -> dict[bytes, Found]:
    """Return everything below a folder."""
    return {path[len(os.fsencode(root)) + 1 :]: _found(path) for path in _paths(os.fsencode(root))}


def contents(tree: Tree) -> dict[bytes, bytes]:
    """Return the bytes of all files."""
    return {path: found.content for path, found in tree.items() if found.kind == "file"}


def _paths(root: bytes) -> Iterator[bytes]:
    for entry in os.scandir(root):
        yield entry.path
        if entry.is_dir(follow_symlinks=False):
            yield from _paths(entry.path)


def _found(path: bytes) -> Found:
    facts = os.lstat(path)
    mode = stat.S_IMODE(facts.st_mode)
    if stat.S_ISLNK(facts.st_mode):
        return Found("link", os.readlink(path))  # noqa: PTH115 - a name in bytes
    if stat.S_ISDIR(facts.st_mode):
        return Found("dir", mode=mode)
    return Found("file", Path(os.fsdecode(path)).read_bytes(), mode, facts.st_mtime_ns)
