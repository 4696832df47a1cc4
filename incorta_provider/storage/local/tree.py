"""A tree of files that is mounted here: local, or NFS.

Listing reads names and facts, never content. The facts of a folder's names are read beside its open handle, which takes
the kernel a third less than by their whole paths.
"""
# Names are bytes, which pathlib does not take.
# ruff: noqa: PTH112, PTH115, PTH116, PTH208

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from incorta_provider.dr.manifest import (
    DIR_CODE,
    FILE_CODE,
    LINK_CODE,
    MODE_BITS,
    Entry,
    Row,
    from_row,
    shown,
)
from incorta_provider.exceptions import IntegrityError, PreconditionError
from incorta_provider.storage.exclude import Exclude
from incorta_provider.storage.faults import GONE, source_fault
from incorta_provider.storage.local.copy import copy_file
from incorta_provider.storage.local.links import ensure_inside
from incorta_provider.storage.local.mounts import mounts_below, steps_to
from incorta_provider.storage.local.walk import Walk
from incorta_provider.storage.tree import Missed, Parallel, Rows, Runs

_TYPE = 0o170000
_FILE = stat.S_IFREG
_ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FOLDER = _ROOT | os.O_NOFOLLOW
"""A link that took a folder's place meanwhile is not followed; the root itself may be one."""

_Identity = tuple[int, int]


class LocalTree:
    """The files below ``root``, without what ``exclude`` leaves out.

    :param exclude: patterns, see :mod:`incorta_provider.storage.exclude`.
    :param identity: device and inode that the root must have; None for those that it has when a listing begins.
    """

    parallel: Parallel = "processes"

    def __init__(self, root: Path, exclude: Sequence[str] = (), *, identity: _Identity | None = None) -> None:
        self.root = root
        self._root = os.fsencode(root)
        self._patterns = tuple(exclude)
        self._exclude = Exclude(exclude)
        self._expected = identity

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
            raise self._unfit("is not a folder") from None
        except OSError as error:
            raise self._unfit(f"cannot be read: {error.strerror}") from None
        if not any(self._look(b"", [name]) for name in names):
            raise self._unfit("is empty")

    def pinned(self) -> LocalTree:
        """Return the same tree, whose listings refuse any other folder in place of the root that is there now."""
        return LocalTree(self.root, self._patterns, identity=self._identity())

    def cuts(self, wanted: int) -> Sequence[bytes]:
        """Return the paths of some folders, sorted, that cut the tree into about as many parts as are ``wanted``."""
        found: set[bytes] = set()
        waiting = deque([b""])
        while waiting and len(found) < wanted:
            below = self._folders(waiting.popleft())
            found.update(below)
            waiting += (path + b"/" for path in below)
        return sorted(found)

    def list(self, begin: bytes = b"", end: bytes | None = None) -> Iterator[Entry]:
        """Yield what is below the root in path order, without digests.

        What vanishes meanwhile is left out; but when the root itself is not the same folder any more at the end, the
        file system was unmounted under the listing, and what was seen cannot be trusted.

        :raises IntegrityError: a folder cannot be read, the root was replaced, a link leads out of the root, or there
            is a special file.
        """
        return (from_row(row) for run in self.runs(begin, end) for row in run)

    def rows(self, begin: bytes = b"", end: bytes | None = None) -> Rows:
        """Yield the same as rows; who answers the row of a folder with names has only these looked at in it."""
        runs = self.runs(begin, end)
        only = None
        while True:
            try:
                run = runs.send(only)
            except StopIteration:
                return
            for row in run:
                only = yield row

    def runs(self, begin: bytes = b"", end: bytes | None = None) -> Runs:
        """Yield the same in runs."""
        before = self._expected or self._identity()
        self._ensure_same(before)
        yield from Walk(self._names, self._look, begin, end).runs()
        self._ensure_same(before)

    def folder_rows(self, folders: Sequence[bytes]) -> Sequence[Row | None]:
        """Return the rows of folders; None for what is not a folder any more, or is left out."""
        before = self._expected or self._identity()
        with self._opened(b"") as root:
            rows = [self._folder_row(root, path) for path in folders]
        self._ensure_same(before)
        return rows

    def children(self, folder: bytes, begin: bytes, end: bytes | None) -> Sequence[Row]:
        """Return the rows of what is directly in a folder, of the paths in a range."""
        before = self._expected or self._identity()
        prefix = folder + b"/" if folder else b""
        inside = [
            name for name in self._names(prefix) if begin <= prefix + name and (end is None or prefix + name < end)
        ]
        rows = list(self._look(prefix, inside))
        self._ensure_same(before)
        return rows

    def mounts(self) -> Sequence[bytes]:
        """Return at which folders of the tree others are mounted, but for what is left out; none if nobody tells."""
        with suppress(OSError):
            found = mounts_below(self._root)
            return [path for path in found if os.path.isdir(self._root + b"/" + path) and not self._is_left_out(path)]
        return []

    def is_bare(self, folder: bytes) -> bool:
        """Tell whether there is nothing in a folder, or no such folder; not of one that is left out."""
        return not self._is_left_out(folder) and not self._names(folder + b"/")

    def fetch(self, entry: Entry, into: bytes) -> Entry | Missed:
        """Copy one file to ``into``, with time and mode, and return what was copied.

        :raises FileExistsError: there is something at ``into``.
        :raises IntegrityError: the file may not be read.
        """
        return copy_file(self._root, entry, into)

    def _identity(self) -> _Identity:
        try:
            facts = os.stat(self._root)
        except OSError as error:
            raise source_fault(error, b"", self.label) from None
        return facts.st_dev, facts.st_ino

    def _ensure_same(self, before: _Identity) -> None:
        if self._identity() != before:
            raise IntegrityError(
                "the root is another folder than when the listing began",
                where=self.label,
                fix="It was unmounted or replaced: check the mount, then start again.",
            )

    def _names(self, folder: bytes) -> Sequence[bytes]:
        """Return the sorted names in a folder; none when it vanished."""
        try:
            return sorted(os.listdir(self._root + b"/" + folder))
        except OSError as error:
            if folder and self._is_gone(error, folder):
                return []
            raise source_fault(error, folder, self.label) from None

    def _is_gone(self, error: OSError, path: bytes) -> bool:
        """Tell whether something vanished; where only its handle is stale, another look by the path tells."""
        if error.errno != errno.ESTALE:
            return error.errno in GONE
        try:
            os.lstat(self._root + b"/" + path.rstrip(b"/"))
        except OSError as now:
            return now.errno in GONE
        return False

    def _folders(self, folder: bytes) -> Sequence[bytes]:
        """Return the paths of a folder's subfolders; what cannot be read is the listing's matter."""
        try:
            with os.scandir(self._root + b"/" + folder) as found:
                return sorted(folder + item.name for item in found if item.is_dir(follow_symlinks=False))
        except OSError:
            return []

    def _look(self, folder: bytes, names: Sequence[bytes]) -> Sequence[Row]:
        """Return what the names in a folder are, without those that vanished or are left out."""
        rows: list[Row] = []
        takes_all = not self._exclude
        with self._opened(folder) as handle:
            for name in names if handle is not None else ():
                path = folder + name
                try:
                    facts = os.stat(name, dir_fd=handle, follow_symlinks=False)
                except OSError as error:
                    if self._is_gone(error, path):
                        continue
                    raise source_fault(error, path, self.label) from None
                mode = facts.st_mode
                if takes_all and mode & _TYPE == _FILE:
                    rows.append((path, FILE_CODE, facts.st_size, facts.st_mtime_ns, mode & MODE_BITS, None, None))
                elif (row := self._row(path, facts)) is not None:
                    rows.append(row)
        return rows

    def _is_left_out(self, folder: bytes) -> bool:
        """Tell whether a folder is left out, by itself or with one above it."""
        return any(self._exclude.matches(path, is_folder=True) for path in steps_to(folder))

    def _folder_row(self, root: int | None, path: bytes) -> Row | None:
        try:
            facts = os.stat(path, dir_fd=root, follow_symlinks=False)
        except OSError as error:
            if self._is_gone(error, path):
                return None
            raise source_fault(error, path, self.label) from None
        return self._row(path, facts) if stat.S_ISDIR(facts.st_mode) else None

    def _row(self, path: bytes, facts: os.stat_result) -> Row | None:
        """Return the row of anything; None when it vanished or is left out."""
        kind = facts.st_mode & _TYPE
        if self._exclude and self._exclude.matches(path, is_folder=kind == stat.S_IFDIR):
            return None
        mode = facts.st_mode & MODE_BITS
        if kind == stat.S_IFREG:
            return path, FILE_CODE, facts.st_size, facts.st_mtime_ns, mode, None, None
        if kind == stat.S_IFDIR:
            return path, DIR_CODE, 0, facts.st_mtime_ns, mode, None, None
        if kind != stat.S_IFLNK:
            raise self._special(path)
        try:
            target = os.readlink(self._root + b"/" + path)
        except OSError as error:
            if error.errno == errno.EINVAL or self._is_gone(error, path):
                return None
            raise source_fault(error, path, self.label) from None
        ensure_inside(self._root, path, target)
        return path, LINK_CODE, 0, facts.st_mtime_ns, MODE_BITS, target, None

    @contextmanager
    def _opened(self, folder: bytes) -> Iterator[int | None]:
        """Hold a folder's handle; None when it vanished."""
        try:
            handle = os.open(self._root + b"/" + folder, _FOLDER if folder else _ROOT)
        except OSError as error:
            if folder and (error.errno == errno.ELOOP or self._is_gone(error, folder)):
                handle = None
            else:
                raise source_fault(error, folder, self.label) from None
        try:
            yield handle
        finally:
            if handle is not None:
                os.close(handle)

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
