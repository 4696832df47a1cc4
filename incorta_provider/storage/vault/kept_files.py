"""List the files that an area of the vault keeps. Other things may be there too: anything may have been moved out."""
# Names are bytes, which pathlib does not take.
# ruff: noqa: PTH208

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Iterator

from incorta_provider.dr.manifest import MODE_BITS, Entry, Kind, in_path_order

_Steps = Generator[bytes, bool | None, None]


def kept_files(root: bytes) -> Iterator[Entry]:
    """Yield the regular files below ``root`` in path order, without digests; none when there is no such folder.

    :raises OSError: a folder cannot be read.
    """
    stack: list[tuple[bytes, _Steps]] = [(b"", in_path_order(_names(root)))]
    is_folder: bool | None = None
    while stack:
        prefix, steps = stack[-1]
        try:
            path = prefix + steps.send(is_folder)
        except StopIteration:
            stack.pop()
            is_folder = None
            continue
        is_folder = None
        if path.endswith(b"/"):
            stack.append((path, in_path_order(_names(root + b"/" + path))))
            continue
        facts = os.lstat(root + b"/" + path)
        is_folder = stat.S_ISDIR(facts.st_mode)
        if stat.S_ISREG(facts.st_mode):
            yield Entry(path, Kind.FILE, facts.st_size, facts.st_mtime_ns, facts.st_mode & MODE_BITS)


def _names(folder: bytes) -> list[bytes]:
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
