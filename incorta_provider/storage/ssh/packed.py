"""A batch of few bytes as one message: on a long line, rsync takes a dozen round trips however little it brings.

The files are read as rsync would read them, between the facts of before and after; what arrives is written to a folder
of its own, as rsync would, and proven there. This module needs only the standard library, because it also runs at
nodes.
"""
# Names are bytes, which pathlib does not take.

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from incorta_provider.dr.manifest import parent_of
from incorta_provider.storage.faults import source_fault, target_fault
from incorta_provider.storage.folders import make_folders
from incorta_provider.storage.local.beneath import Beneath
from incorta_provider.storage.local.copy import write_all
from incorta_provider.storage.ssh.facts import WIDTH, Facts, State, facts_of, opened
from incorta_provider.storage.ssh.wire import pack_contents, pack_numbers, unpack_contents, unpack_numbers

PACKED_BYTES = 4 << 20
"""A batch of so much travels packed; of more, the bytes take longer than the round trips."""


class Packed(NamedTuple):
    """One file.

    :ivar content: None where it was not read: it is not a file, has holes, or is larger than it was listed.
    """

    before: Facts
    after: Facts
    content: bytes | None

    @property
    def is_whole(self) -> bool:
        """Whether the content is all of a file that did not change meanwhile."""
        return self.before.is_same_file(self.after) and len(self.content or b"") == self.before.size

    @property
    def is_left(self) -> bool:
        """Whether this is a file that must come another way."""
        return self.content is None and State.FILE == self.before.state == self.after.state


def read_packed(root: bytes, paths: Sequence[bytes]) -> list[Packed]:
    """Read files below ``root``, as long as they are few bytes together.

    :raises IntegrityError: a file may not be read.
    :raises TransientError: the storage does not let us.
    """
    before = facts_of(root, paths, rest=True)
    room, contents = PACKED_BYTES, list[bytes | None]()
    with Beneath(root) as below:
        for path, facts in zip(paths, before, strict=True):
            wanted = facts.is_to_be_brought(has_holes=False) and facts.size <= room
            contents.append(_content(below, path, facts.size) if wanted else None)
            room -= len(contents[-1] or b"")
    after = facts_of(root, paths, rest=False)
    return [Packed(*row) for row in zip(before, after, contents, strict=True)]


def write_packed(incoming: bytes, paths: Sequence[bytes], contents: Sequence[bytes | None]) -> None:
    """Write files below a folder; for those without content nothing is written.

    :raises DrError: they cannot be written.
    """
    try:
        for path, content in zip(paths, contents, strict=True):
            if content is not None:
                _write(incoming + b"/" + path, content)
    except OSError as error:
        raise target_fault(error, os.fsdecode(incoming)) from None


def pack(files: Sequence[Packed]) -> tuple[bytes, bytes]:
    """Return files as two bodies: their facts and what they hold."""
    facts = pack_numbers([[*file.before, *file.after] for file in files])
    return facts, pack_contents([file.content for file in files])


def unpack(facts: bytes, contents: bytes) -> list[Packed]:
    """Return the files that :func:`pack` was given."""
    rows = unpack_numbers(facts, 2 * WIDTH)
    return [
        Packed(Facts(*row[:WIDTH]), Facts(*row[WIDTH:]), content)
        for row, content in zip(rows, unpack_contents(contents), strict=True)
    ]


def _content(below: Beneath, path: bytes, size: int) -> bytes | None:
    """Return what a file holds up to a size; None when it is gone."""
    handle = opened(below, path)
    if handle is None:
        return None
    try:
        with os.fdopen(handle, "rb", buffering=0) as file:
            parts = []
            while size and (part := file.read(size)):
                parts.append(part)
                size -= len(part)
            return b"".join(parts)
    except OSError as error:
        raise source_fault(error, path, os.fsdecode(below.root)) from None


def _write(path: bytes, content: bytes) -> None:
    make_folders(parent_of(path))
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        write_all(handle, memoryview(content))
    finally:
        os.close(handle)
