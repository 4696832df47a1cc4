"""What the agent does at a source: look at it, list it, read it.

Each piece of work takes the head and the body of a request, and yields the messages of its answer.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from incorta_provider.storage.copying.staged_index import from_text, to_text
from incorta_provider.storage.digests import Reading
from incorta_provider.storage.digests import read as read_file
from incorta_provider.storage.faults import source_fault
from incorta_provider.storage.local.beneath import Beneath
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.ssh.ends import PARQUET_MAGIC, PARQUET_TAIL, UNJUDGED
from incorta_provider.storage.ssh.facts import ensure_readable, facts_of, opened
from incorta_provider.storage.ssh.packed import pack, read_packed
from incorta_provider.storage.ssh.wire import (
    Message,
    pack_numbers,
    pack_paths,
    pack_rows,
    pack_texts,
    unpack_entries,
    unpack_paths,
)
from incorta_provider.storage.tree import Missed

_ROWS = 2_000
"""In one message of a listing."""

_MAX_FOOTER = 32 << 20
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


def mounted(head: dict[str, Any], _: bytes) -> Iterator[Message]:
    """Tell whether something is mounted at a folder."""
    yield Message({"mounted": os.path.ismount(from_text(head["folder"]))})


def mounts(head: dict[str, Any], _: bytes) -> Iterator[Message]:
    """Tell where others are mounted in a source."""
    yield Message({}, pack_paths(_tree(head).mounts()))


def bare(head: dict[str, Any], body: bytes) -> Iterator[Message]:
    """Tell whether there is nothing in a folder of a source."""
    (folder,) = unpack_paths(body)
    yield Message({"bare": _tree(head).is_bare(folder)})


def identity(head: dict[str, Any], _: bytes) -> Iterator[Message]:
    """Tell which folder the root is now."""
    root = root_of(head)
    try:
        found = os.stat(root)  # noqa: PTH116 - a path of bytes
    except OSError as error:
        raise source_fault(error, b"", os.fsdecode(root)) from None
    yield Message({"identity": [found.st_dev, found.st_ino]})


def cuts(head: dict[str, Any], _: bytes) -> Iterator[Message]:
    """Name paths that cut the tree into parts."""
    yield Message({}, pack_paths(_tree(head).cuts(head["wanted"])))


def listing(head: dict[str, Any], _: bytes) -> Iterator[Message]:
    """List a range of paths."""
    begin, end = from_text(head["begin"]), None if head["end"] is None else from_text(head["end"])
    rows = _tree(head).rows(begin, end)
    while some := list(islice(rows, _ROWS)):
        yield Message({}, pack_rows(some))


def facts(head: dict[str, Any], body: bytes) -> Iterator[Message]:
    """Tell what the file system knows of some files."""
    yield Message({}, pack_numbers(facts_of(root_of(head), unpack_paths(body), rest=head["rest"])))


def packed(head: dict[str, Any], body: bytes) -> Iterator[Message]:
    """Send some small files, with their facts before and after they were read."""
    told, contents = pack(read_packed(root_of(head), unpack_paths(body)))
    yield Message({}, told)
    yield Message({}, contents)


def readable(head: dict[str, Any], body: bytes) -> Iterator[Message]:
    """Refuse files that may not be read."""
    ensure_readable(root_of(head), unpack_paths(body))
    yield from ()


def read(head: dict[str, Any], body: bytes) -> Iterator[Message]:
    """Take digests of files, and look at the frames of Parquet files when asked to."""
    root = root_of(head)
    readings = [_reading(root + b"/" + entry.path, framing=head["framing"]) for entry in unpack_entries(body)]
    yield Message({}, pack_texts([reading.sha256 for reading in readings]))
    yield Message({}, pack_numbers([[reading.size] for reading in readings]))
    yield Message({"framing": [reading.framing for reading in readings]})


def _reading(path: bytes, *, framing: bool) -> Reading:
    """Read a file; the worker judges a footer that only a Parquet library can, which the node need not have."""
    try:
        return read_file(path, framing=framing)
    except ModuleNotFoundError:
        return replace(read_file(path), framing=UNJUDGED)


def ends(head: dict[str, Any], body: bytes) -> Iterator[Message]:
    """Send both ends of a Parquet file: its first bytes, and what its last ones call the footer."""
    root = root_of(head)
    (path,) = unpack_paths(body)
    with _reading_of(root, path), open(root + b"/" + path, "rb") as file:  # noqa: PTH123 - a path of bytes
        size = os.fstat(file.fileno()).st_size
        first = file.read(PARQUET_MAGIC)
        file.seek(-PARQUET_TAIL, os.SEEK_END)
        length = int.from_bytes(file.read(4), "little")
        file.seek(max(0, size - PARQUET_TAIL - min(length, _MAX_FOOTER)))
        yield Message({"size": size}, first + file.read(_MAX_FOOTER))


def send(head: dict[str, Any], body: bytes) -> Iterator[Message]:
    """Send one file that did not change meanwhile; it is read from one open descriptor."""
    root = root_of(head)
    (path,) = unpack_paths(body)
    (before,) = facts_of(root, [path], rest=True)
    if before.state:
        yield Message({"missed": Missed.VANISHED if before.state == 1 else Missed.UNSETTLED})
        return
    with Beneath(root) as below:
        handle = opened(below, path)
    if handle is None:
        yield Message({"missed": Missed.UNSETTLED})  # the next try sees what it is now
        return
    with _reading_of(root, path), os.fdopen(handle, "rb", buffering=0) as file:
        yield Message({"facts": list(before)})
        size = before.size
        while size and (piece := file.read(min(size, _PIECE))):
            size -= len(piece)
            yield Message({}, piece)
    (after,) = facts_of(root, [path], rest=False)
    yield Message({"settled": not size and before.is_same_file(after)})


@contextmanager
def _reading_of(root: bytes, path: bytes) -> Iterator[None]:
    """Tell what the operating system refuses of a file as a fault of the source."""
    try:
        yield
    except OSError as error:
        raise source_fault(error, path, os.fsdecode(root)) from None


def root_of(head: dict[str, Any]) -> bytes:
    """Return the folder that a request is about."""
    return from_text(head["root"])


def _tree(head: dict[str, Any]) -> LocalTree:
    identity = head.get("identity")
    return LocalTree(Path(to_text(root_of(head))), head["exclude"], identity=identity and tuple(identity))


SOURCE_WORK = {
    "hello": hello,
    "check": check,
    "mounted": mounted,
    "mounts": mounts,
    "bare": bare,
    "identity": identity,
    "cuts": cuts,
    "list": listing,
    "facts": facts,
    "packed": packed,
    "readable": readable,
    "read": read,
    "ends": ends,
    "send": send,
}
