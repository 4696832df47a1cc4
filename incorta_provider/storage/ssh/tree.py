"""The files below a folder at a node, as a source."""
# Names are bytes, which pathlib does not take.
# ruff: noqa: PTH108

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator, Sequence
from typing import Any, BinaryIO

from incorta_provider.connection import ConnectionInfo
from incorta_provider.dr.manifest import Entry, Kind, from_row, shown
from incorta_provider.exceptions import PreconditionError
from incorta_provider.storage.copying.staged_index import to_text
from incorta_provider.storage.faults import target_fault
from incorta_provider.storage.flow.throttle import moved
from incorta_provider.storage.ssh.facts import WIDTH, Facts
from incorta_provider.storage.ssh.node_agent import Node, node_of
from incorta_provider.storage.ssh.packed import Packed, unpack
from incorta_provider.storage.ssh.wire import Message, pack_paths, unpack_numbers, unpack_paths, unpack_rows
from incorta_provider.storage.tree import Missed, Parallel, Rows

_TRIES = 3


class SshTree:
    """What is below ``root`` at a node, without what ``exclude`` leaves out.

    It can be pickled: agents are started where they are asked.

    :param info: an ``incorta_node`` connection.
    :param root: absolute.
    :param exclude: patterns, see :mod:`incorta_provider.storage.exclude`; they are held against names at the node.
    :param identity: device and inode that the root must have there; None for those when a listing begins.
    """

    parallel: Parallel = "threads"

    def __init__(
        self,
        info: ConnectionInfo,
        root: bytes,
        exclude: Sequence[str] = (),
        *,
        identity: tuple[int, int] | None = None,
    ) -> None:
        self.info = info
        self.root = root
        self._exclude = tuple(exclude)
        self._identity = identity

    @property
    def label(self) -> str:
        """Its URL."""
        return f"ssh://{self.info.conn_id}{shown(self.root)}"

    @property
    def node(self) -> Node:
        """The node with its agents."""
        return node_of(self.info)

    def check(self) -> None:
        """Refuse a root that is absent, no folder, unreadable or empty: an unmounted source looks like that.

        :raises PreconditionError: says which, of this tree; nothing was changed.
        """
        try:
            self._ask("check")
        except PreconditionError as error:
            fix = "Nothing was changed. Check that it is mounted at the node, and the URL in the topology."
            raise PreconditionError(error.what, where=self.label, fix=fix) from None

    def is_mounted(self, folder: str) -> bool:
        """Tell whether something is mounted at a folder of the node."""
        (part,) = self.node.call("mounted", folder=to_text(os.fsencode(folder)))
        return part.head["mounted"] is True

    def mounts(self) -> Sequence[bytes]:
        """Return at which folders of the tree others are mounted, but for what is left out; none if nobody tells."""
        (part,) = self._ask("mounts")
        return unpack_paths(part.body)

    def is_bare(self, folder: bytes) -> bool:
        """Tell whether there is nothing in a folder, or no such folder; not of one that is left out."""
        (part,) = self.node.call("bare", pack_paths([folder]), **self._place())
        return part.head["bare"] is True

    def facts(self, paths: Sequence[bytes], *, rest: bool) -> list[Facts]:
        """Return what the node's file system knows of some files, see :mod:`incorta_provider.storage.ssh.facts`."""
        (part,) = self.node.call("facts", pack_paths(paths), root=to_text(self.root), rest=rest)
        return [Facts(*row) for row in unpack_numbers(part.body, WIDTH)]

    def packed(self, paths: Sequence[bytes]) -> list[Packed]:
        """Return what some small files hold, see :mod:`incorta_provider.storage.ssh.packed`."""
        told, contents = self.node.stream("packed", pack_paths(paths), root=to_text(self.root))
        files = unpack(told.body, contents.body)
        moved(sum(len(file.content or b"") for file in files))
        return files

    def ensure_readable(self, paths: Sequence[bytes]) -> None:
        """Refuse files that may not be read.

        :raises IntegrityError: names the first one.
        """
        self.node.call("readable", pack_paths(paths), root=to_text(self.root))

    def pinned(self) -> SshTree:
        """Return the same tree, whose listings refuse any other folder in place of the root that is there now."""
        (part,) = self._ask("identity")
        device, inode = part.head["identity"]
        return SshTree(self.info, self.root, self._exclude, identity=(device, inode))

    def cuts(self, wanted: int) -> Sequence[bytes]:
        """Return the paths of some folders, sorted, that cut the tree into about as many parts as are ``wanted``."""
        (part,) = self._ask("cuts", wanted=wanted)
        return unpack_paths(part.body)

    def rows(self, begin: bytes = b"", end: bytes | None = None) -> Rows:
        """Yield the same as ``list``, as rows; who answers the row of a folder with names gets only these of it.

        The answer saves nothing at the node, where names were looked at long before.
        """
        only: dict[bytes, Collection[bytes]] = {}
        last = None if end is None else to_text(end)
        for part in self.node.stream("list", b"", **self._place(), begin=to_text(begin), end=last):
            for row in unpack_rows(part.body):
                folder, _, name = row[0].rpartition(b"/")
                if name not in only.get(folder, (name,)):
                    continue
                if (answer := (yield row)) is not None:
                    only[row[0]] = frozenset(answer)

    def list(self, begin: bytes = b"", end: bytes | None = None) -> Iterator[Entry]:
        """Yield what is below the root in path order, without digests; each call has an agent of its own."""
        return map(from_row, self.rows(begin, end))

    def fetch(self, entry: Entry, into: bytes) -> Entry | Missed:
        """Copy one file to ``into`` through an agent; for many files see :mod:`incorta_provider.storage.ssh.routes`."""
        found: Entry | Missed = Missed.UNSETTLED
        for _ in range(_TRIES):
            found = self._try(entry.path, into)
            if found is not Missed.UNSETTLED:
                break
        return found

    def _ask(self, do: str, **head: Any) -> Sequence[Message]:
        return self.node.call(do, b"", **self._place(), **head)

    def _place(self) -> dict[str, Any]:
        return {"root": to_text(self.root), "exclude": self._exclude, "identity": self._identity}

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
        moved(len(part.body))
    return sha.digest(), settled
