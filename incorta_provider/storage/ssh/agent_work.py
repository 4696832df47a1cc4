"""What the agent does at a source: look at it, list it, read it.

Each piece of work takes the head and the body of a request, and yields the messages of its answer.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from incorta_provider.dr.manifest import Entry
from incorta_provider.storage.digests import Reader
from incorta_provider.storage.local import LocalTree
from incorta_provider.storage.ssh.facts import ensure_readable, facts_of
from incorta_provider.storage.ssh.wire import (
    Message,
    pack_entries,
    pack_numbers,
    pack_texts,
    unpack_entries,
    unpack_paths,
)
from incorta_provider.storage.staged_index import from_text, to_text
from incorta_provider.storage.tree import Missed

_ENTRIES = 2_000
"""In one message of a listing."""

_PIECE = 256 * 1024
"""Bytes of a file in one message."""


def hello(_: dict[str, Any], __: bytes) -> Iterator[Message]:
    """Say what is here."""
    rsync = shutil.which("rsync")
    yield Message({"pid": os.getpid(), "python": sys.version.split()[0], "rsync": rsync, "program": sys.path[0]})


def check(head: dict[str, Any], _: bytes) -> Iterator[Message]:
    """Refuse a source that is absent, no folder, unreadable or empty."""
    _tree(head).check()
    yield from ()


def listing(head: dict[str, Any], _: bytes) -> Iterator[Message]:
    """List a range of paths."""
    begin, end = from_text(head["begin"]), None if head["end"] is None else from_text(head["end"])
    waiting: list[Entry] = []
    for entry in (e for e in _tree(head).list() if begin <= e.path and (end is None or e.path < end)):
        waiting.append(entry)
        if len(waiting) == _ENTRIES:
            yield Message({}, pack_entries(waiting))
            waiting = []
    yield Message({}, pack_entries(waiting))


def facts(head: dict[str, Any], body: bytes) -> Iterator[Message]:
    """Tell what the file system knows of some files."""
    yield Message({}, pack_numbers(facts_of(root_of(head), unpack_paths(body), rest=head["rest"])))


def readable(head: dict[str, Any], body: bytes) -> Iterator[Message]:
    """Refuse files that may not be read."""
    ensure_readable(root_of(head), unpack_paths(body))
    yield from ()


def read(head: dict[str, Any], body: bytes) -> Iterator[Message]:
    """Take digests of files, and look at the frames of Parquet files when asked to."""
    readings = Reader(root_of(head), framing=head["framing"])(unpack_entries(body))
    yield Message({}, pack_texts([reading.sha256 for reading in readings]))
    yield Message({}, pack_numbers([[reading.size] for reading in readings]))
    yield Message({"framing": [reading.framing for reading in readings]})


def send(head: dict[str, Any], body: bytes) -> Iterator[Message]:
    """Send one file that did not change meanwhile; it is read from one open descriptor."""
    root = root_of(head)
    (path,) = unpack_paths(body)
    (before,) = facts_of(root, [path], rest=True)
    if before.state:
        yield Message({"missed": Missed.VANISHED if before.state == 1 else Missed.UNSETTLED})
        return
    ensure_readable(root, [path])
    yield Message({"facts": list(before)})
    with open(root + b"/" + path, "rb", buffering=0) as file:  # noqa: PTH123 - a path of bytes
        size = before.size
        while size and (piece := file.read(min(size, _PIECE))):
            size -= len(piece)
            yield Message({}, piece)
    (after,) = facts_of(root, [path], rest=False)
    yield Message({"settled": not size and before.is_same_file(after)})


def root_of(head: dict[str, Any]) -> bytes:
    """Return the folder that a request is about."""
    return from_text(head["root"])


def _tree(head: dict[str, Any]) -> LocalTree:
    return LocalTree(Path(to_text(root_of(head))), head["exclude"])


SOURCE_WORK = {
    "hello": hello,
    "check": check,
    "list": listing,
    "facts": facts,
    "readable": readable,
    "read": read,
    "send": send,
}
