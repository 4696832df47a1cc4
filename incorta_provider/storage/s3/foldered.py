"""The keys of a bucket as a tree of folders, for targets that are file systems.

Each part of a key before a ``/`` is a folder; a key of zero bytes that ends in ``/`` is the folder of that name, and so
are both at once. Folders must be told before what comes after them in path order, and ``/`` sorts after ``-`` and
``.``: whether ``a`` is a folder is known only when all of ``a-*`` and ``a.*`` has passed. So the listing is complete
before the first entry is given, and waits in a file; memory follows the number of folders.

:raises IntegrityError: keys that no file system can hold, each named: ``a`` beside ``a/b``, parts that are empty or
    ``.`` or ``..``, and content under a name that ends in ``/``.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO

from incorta_provider.dr.manifest import Entry, Kind, is_safe, shown
from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.copying.work_pool import chunks
from incorta_provider.storage.s3.bucket import Bucket
from incorta_provider.storage.s3.tree import S3Tree
from incorta_provider.storage.tree import Missed

FOLDER_MODE = 0o755
FOLDER_MTIME_NS = 1
"""Folders of a bucket have no time."""

_LONGEST_NAME = 255
_SHOWN = 20
_AT_ONCE = 5_000


class FolderedTree:
    """The folders and files below a prefix; can be pickled."""

    def __init__(self, bucket: Bucket, exclude: Sequence[str] = ()) -> None:
        self.keys = S3Tree(bucket, exclude)

    @property
    def label(self) -> str:
        """Its address, for messages."""
        return self.keys.label

    def check(self) -> None:
        """Refuse a bucket that cannot be listed, or a prefix that has no objects."""
        self.keys.check()

    def list(self, begin: bytes = b"", end: bytes | None = None) -> Iterator[Entry]:
        """Yield folders and files in path order."""
        with tempfile.TemporaryFile() as spool:
            folders = _collected(self.keys, spool)
            ordered = iter(sorted(folders))
            folder = next(ordered, None)
            for entry in _spooled(spool):
                while folder is not None and folder < entry.path:
                    yield from _within(_folder(folder), begin, end)
                    folder = next(ordered, None)
                yield from _within(entry, begin, end)
            while folder is not None:
                yield from _within(_folder(folder), begin, end)
                folder = next(ordered, None)

    def holds(self, path: bytes) -> bool:
        """Tell whether there is an object at a path, without a listing."""
        return self.keys.holds(path)

    def fetch(self, entry: Entry, into: bytes) -> Entry | Missed:
        """Copy one object to a file, with its digest."""
        return self.keys.fetch(entry, into)


def _collected(keys: S3Tree, spool: IO[bytes]) -> set[bytes]:
    """Write the files of a whole listing to the spool, and return the folders."""
    folders: set[bytes] = set()
    faults: list[str] = []
    for some in chunks(keys.list(), _AT_ONCE):
        files = []
        for entry in some:
            path = entry.path[:-1] if entry.path.endswith(b"/") and not entry.size else entry.path
            if fault := _fault(path):
                faults.append(f"{shown(entry.path)}: {fault}")
                continue
            _add_parents(path, folders)
            if path is entry.path:
                files.append(entry)
            else:
                folders.add(path)
        pickle.dump(files, spool)
    clashing = (entry.path for entry in _spooled(spool) if entry.path in folders)
    faults += [f"{shown(path)}: it is a file, and the folder of others" for path in clashing]
    if faults:
        raise _refused(keys.label, faults)
    return folders


def _spooled(spool: IO[bytes]) -> Iterator[Entry]:
    spool.seek(0)
    while True:
        try:
            yield from pickle.load(spool)  # noqa: S301 - we wrote it, and nobody else can open it
        except EOFError:
            return


def _add_parents(path: bytes, folders: set[bytes]) -> None:
    parent = path[: max(path.rfind(b"/"), 0)]
    while parent and parent not in folders:
        folders.add(parent)
        parent = parent[: max(parent.rfind(b"/"), 0)]


def _fault(path: bytes) -> str:
    if not is_safe(path):
        return "a part of it is empty, '.' or '..', which would leave the root"
    if any(len(name) > _LONGEST_NAME for name in path.split(b"/")):
        return f"a part of it is longer than the {_LONGEST_NAME} bytes of a file's name"
    return ""


def _folder(path: bytes) -> Entry:
    return Entry(path, Kind.DIR, 0, FOLDER_MTIME_NS, FOLDER_MODE)


def _within(entry: Entry, begin: bytes, end: bytes | None) -> Iterator[Entry]:
    if entry.path >= begin and (end is None or entry.path < end):
        yield entry


def _refused(label: str, faults: Sequence[str]) -> IntegrityError:
    names = "\n  ".join(faults[:_SHOWN])
    return IntegrityError(
        f"{len(faults)} key(s) cannot be files of a file system:\n  {names}",
        where=label,
        fix="Nothing was copied. Rename them, exclude them in the topology, or replicate to another bucket.",
    )
