"""A tree of files that is mounted here: local, or NFS.

Listing reads names and ``lstat`` facts, never content, and holds one folder's names per level of depth.
"""
# Names are bytes, which pathlib does not take.
# ruff: noqa: PTH115, PTH116, PTH208

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from incorta_provider.dr.manifest import MODE_BITS, Entry, Kind, in_path_order, shown
from incorta_provider.exceptions import IntegrityError, PreconditionError
from incorta_provider.storage.exclude import Exclude
from incorta_provider.storage.faults import GONE, source_fault
from incorta_provider.storage.local_copy import copy_file
from incorta_provider.storage.local_links import ensure_inside
from incorta_provider.storage.tree import Missed

_KINDS = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.DIR, stat.S_IFLNK: Kind.LINK}
_Steps = Generator[bytes, bool | None, None]


class LocalTree:
    """The files below ``root``, without what ``exclude`` leaves out.

    :param exclude: patterns, see :mod:`incorta_provider.storage.exclude`.
    """

    def __init__(self, root: Path, exclude: Sequence[str] = ()) -> None:
        self.root = root
        self._root = os.fsencode(root)
        self._exclude = Exclude(exclude)

    @property
    def label(self) -> str:
        """The root's path."""
        return str(self.root)

    def check(self) -> None:
        """Refuse a root that is absent, no folder, unreadable or empty: an unmounted source looks like that.

        :raises PreconditionError: says which; nothing was changed.
        :raises IntegrityError: the first thing in it has no place in a recovery point.
        """
        try:
            names = os.listdir(self._root)
        except FileNotFoundError:
            raise self._unfit("does not exist") from None
        except NotADirectoryError:
            raise self._unfit("is no folder") from None
        except OSError as error:
            raise self._unfit(f"cannot be read: {error.strerror}") from None
        if not any(self._entry(name) for name in names):
            raise self._unfit("is empty")

    def list(self) -> Iterator[Entry]:
        """Yield everything below the root in path order, without digests.

        What vanishes meanwhile is left out; but when the root itself is not the same folder any more at the end, the
        file system was unmounted under the listing, and what was seen cannot be trusted.

        :raises IntegrityError: a folder cannot be read, the root was replaced, a link leads out of the root, or there
            is a special file.
        """
        before = self._identity()
        stack: list[tuple[bytes, _Steps]] = [(b"", in_path_order(self._names(b"")))]
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
                stack.append((path, in_path_order(self._names(path))))
            elif (entry := self._entry(path)) is not None:
                is_folder = entry.kind is Kind.DIR
                yield entry
        if self._identity() != before:
            raise IntegrityError(
                "the root is another folder than when the listing began",
                where=self.label,
                fix="It was unmounted or replaced: check the mount, then start again.",
            )

    def fetch(self, entry: Entry, into: bytes) -> Entry | Missed:
        """Copy one file to ``into``, with time and mode, and return what was copied.

        :raises FileExistsError: there is something at ``into``.
        :raises IntegrityError: the file may not be read.
        """
        return copy_file(self._root, entry, into)

    def _identity(self) -> tuple[int, int]:
        try:
            facts = os.stat(self._root)
        except OSError as error:
            raise source_fault(error, b"", self.label) from None
        return facts.st_dev, facts.st_ino

    def _names(self, folder: bytes) -> Sequence[bytes]:
        """Return the sorted names in a folder; none when it vanished."""
        try:
            return sorted(os.listdir(self._root + b"/" + folder))
        except OSError as error:
            if folder and error.errno in GONE:
                return []
            raise source_fault(error, folder, self.label) from None

    def _entry(self, path: bytes) -> Entry | None:
        """Return what is at ``path``; None when it vanished or is left out."""
        try:
            facts = os.lstat(self._root + b"/" + path)
            kind = _KINDS.get(stat.S_IFMT(facts.st_mode))
            if self._exclude and self._exclude.matches(path, is_folder=kind is Kind.DIR):
                return None
            if kind is Kind.FILE:
                return Entry(path, kind, facts.st_size, facts.st_mtime_ns, facts.st_mode & MODE_BITS)
            if kind is Kind.DIR:
                return Entry(path, kind, 0, facts.st_mtime_ns, facts.st_mode & MODE_BITS)
            target = os.readlink(self._root + b"/" + path) if kind is Kind.LINK else None
        except OSError as error:
            if error.errno in GONE:
                return None
            raise source_fault(error, path, self.label) from None
        if target is None:
            raise self._special(path)
        ensure_inside(self._root, path, target)
        return Entry(path, Kind.LINK, 0, facts.st_mtime_ns, MODE_BITS, link_target=target)

    def _special(self, path: bytes) -> IntegrityError:
        return IntegrityError(
            f"{shown(path)} is a device, socket or pipe",
            where=self.label,
            fix="Remove it, or exclude it in the topology.",
        )

    def _unfit(self, what: str) -> PreconditionError:
        return PreconditionError(
            f"the storage {what}",
            where=self.label,
            fix="Nothing was changed. Check that it is mounted at the worker, and the URL in the topology.",
        )
