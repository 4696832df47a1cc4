"""The files below a folder at a node, as a source."""
# Names are bytes, which pathlib does not take.
# ruff: noqa: PTH108

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from incorta_provider.connection import ConnectionInfo
from incorta_provider.dr.manifest import Entry, Kind, shown
from incorta_provider.storage.faults import target_fault
from incorta_provider.storage.ssh.facts import WIDTH, Facts
from incorta_provider.storage.ssh.node_agent import Node, node_of
from incorta_provider.storage.ssh.wire import Message, pack_paths, unpack_entries, unpack_numbers
from incorta_provider.storage.staged_index import to_text
from incorta_provider.storage.tree import Missed

_TRIES = 3


class SshTree:
    """What is below ``root`` at a node, without what ``exclude`` leaves out.

    It can be pickled: agents are started where they are asked.

    :param info: an ``incorta_node`` connection.
    :param root: absolute.
    :param exclude: patterns, see :mod:`incorta_provider.storage.exclude`; they are held against names at the node.
    """

    def __init__(self, info: ConnectionInfo, root: bytes, exclude: Sequence[str] = ()) -> None:
        self.info = info
        self.root = root
        self._exclude = list(exclude)

    @property
    def label(self) -> str:
        """Its URL."""
        return f"ssh://{self.info.conn_id}{shown(self.root)}"

    @property
    def node(self) -> Node:
        """The node with its agents."""
        return node_of(self.info)

    def check(self) -> None:
        """Refuse a root that is absent, no folder, unreadable or empty: an unmounted source looks like that."""
        self.node.call("check", root=to_text(self.root), exclude=self._exclude)

    def facts(self, paths: Sequence[bytes], *, rest: bool) -> list[Facts]:
        """Return what the node's file system knows of some files, see :mod:`incorta_provider.storage.ssh.facts`."""
        (part,) = self.node.call("facts", pack_paths(paths), root=to_text(self.root), rest=rest)
        return [Facts(*row) for row in unpack_numbers(part.body, WIDTH)]

    def ensure_readable(self, paths: Sequence[bytes]) -> None:
        """Refuse files that may not be read.

        :raises IntegrityError: names the first one.
        """
        self.node.call("readable", pack_paths(paths), root=to_text(self.root))

    def list(self, begin: bytes = b"", end: bytes | None = None) -> Iterator[Entry]:
        """Yield what is below the root in path order, without digests; each call has an agent of its own."""
        last = None if end is None else to_text(end)
        parts = self.node.stream("list", root=to_text(self.root), exclude=self._exclude, begin=to_text(begin), end=last)
        for part in parts:
            yield from unpack_entries(part.body)

    def fetch(self, entry: Entry, into: bytes) -> Entry | Missed:
        """Copy one file to ``into`` through an agent; for many files see :mod:`incorta_provider.storage.ssh.routes`."""
        found: Entry | Missed = Missed.UNSETTLED
        for _ in range(_TRIES):
            found = self._try(entry.path, into)
            if found is not Missed.UNSETTLED:
                break
        return found

    def _try(self, path: bytes, into: bytes) -> Entry | Missed:
        parts = self.node.stream("send", pack_paths([path]), root=to_text(self.root))
        first = next(parts)
        if "missed" in first.head:
            list(parts)
            return Missed(first.head["missed"])
        facts = Facts(*first.head["facts"])
        try:
            handle = os.open(into, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            raise
        except OSError as error:
            raise target_fault(error, os.fsdecode(into)) from None
        whole = False
        try:
            with os.fdopen(handle, "wb") as file:
                digest, whole = _written(parts, file)
                file.flush()
                os.fchmod(file.fileno(), facts.mode)
                os.utime(file.fileno(), ns=(facts.mtime_ns, facts.mtime_ns))
        except OSError as error:
            whole = False
            raise target_fault(error, os.fsdecode(into)) from None
        finally:
            if not whole:
                os.unlink(into)
        return Entry(path, Kind.FILE, facts.size, facts.mtime_ns, facts.mode, digest) if whole else Missed.UNSETTLED


def _written(parts: Iterator[Message], file: BinaryIO) -> tuple[bytes, bool]:
    """Write the pieces of a file and return its digest, and whether it is whole and did not change."""
    sha = hashlib.sha256()
    settled = False
    for part in parts:
        settled = bool(part.head.get("settled"))
        sha.update(part.body)
        file.write(part.body)
    return sha.digest(), settled
