"""Which file systems are mounted where, as the kernel tells it.

What is mounted inside of a tree is a part of it as long as it is mounted; after that the folder below it is seen, which
is mostly empty. It needs only the standard library, because it also runs at nodes.
"""
# Names are bytes, which pathlib does not take.
# ruff: noqa: PTH119, PTH120, PTH208

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

_TABLE = Path("/proc/self/mountinfo")
_PLACE = 4
"""The column with the path of a mount point."""
_ESCAPED = re.compile(rb"\\([0-7]{3})")


def mounts_below(root: bytes) -> list[bytes]:
    """Return where file systems are mounted below a folder, sorted and relative to it.

    What no listing shows is left out: nobody copies or moves it. A filer mounts its snapshots for whoever looks into
    one, below a name that is in no folder, and they go by themselves; and a mount may lie below a later one.

    :raises OSError: the kernel does not tell.
    """
    home = os.path.realpath(root).rstrip(b"/") + b"/"
    found = (place[len(home) :] for place in _places() if place.startswith(home))
    return sorted(place for place in found if _is_listed(home, place))


def steps_to(path: bytes) -> Iterator[bytes]:
    """Yield the folders on the way to a path, and the path itself.

    >>> list(steps_to(b"a/b/c"))
    [b'a', b'a/b', b'a/b/c']
    """
    parts = path.split(b"/")
    return (b"/".join(parts[: depth + 1]) for depth in range(len(parts)))


def same_mount(one: bytes, other: bytes) -> bool:
    """Tell whether two folders are reached through the same mount: only then a rename leads from one to the other.

    :raises OSError: the kernel does not tell.
    """
    places = _places()
    return _mount_of(one, places) == _mount_of(other, places)


def _is_listed(home: bytes, place: bytes) -> bool:
    """Tell whether each step to a place is named in the folder above it."""
    try:
        return all(os.path.basename(step) in os.listdir(os.path.dirname(home + step)) for step in steps_to(place))
    except (FileNotFoundError, NotADirectoryError):
        return False


def _mount_of(folder: bytes, places: set[bytes]) -> bytes:
    path = os.path.realpath(folder)
    while path not in places and path != b"/":
        path = os.path.dirname(path)
    return path


def _places() -> set[bytes]:
    lines = _TABLE.read_bytes().splitlines()
    return {_ESCAPED.sub(lambda code: bytes([int(code[1], 8)]), line.split(b" ")[_PLACE]) for line in lines}
