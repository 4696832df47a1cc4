"""The manifest: the files of one recovery point, in one fixed order.

The order is that of the bytes of the whole path. It is the order in which object stores list their keys, it needs no
key to be computed, and whatever is sorted by path bytes can be merged with a manifest. It has one trap: ``/`` sorts
after characters such as ``-`` and ``.``, so what a folder holds does not come right after the folder
(``a``, ``a-b``, ``a/x``). :func:`in_path_order` walks a tree in this order, :class:`OpenFolders` remembers the folders
of a sorted stream until their last entry has passed.

Paths are bytes: names on disk are not text. They are relative to the storage root, with ``/`` between the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from enum import StrEnum
from functools import partial
from typing import NamedTuple


class Kind(StrEnum):
    """What an entry is. Devices, sockets and pipes have no place in a recovery point."""

    FILE = "file"
    DIR = "dir"
    LINK = "link"


KINDS = (Kind.FILE, Kind.DIR, Kind.LINK)
"""In files and between processes a kind is its place here."""

CODES = {kind: code for code, kind in enumerate(KINDS)}
FILE_CODE, DIR_CODE, LINK_CODE = range(len(KINDS))

AFTER_SLASH = b"0"
"""The byte after ``/``: all paths below a folder sort from ``folder + b"/"`` up to, and without, ``folder + b"0"``."""

Row = tuple[bytes, int, int, int, int, bytes | None, bytes | None]
"""What a listing shows of an entry: path, code of the kind, size, time, mode, link target, version. A tuple and
not an object: millions are compared with those of a manifest, and nearly all are equal."""


class Entry(NamedTuple):
    """One file, folder or symbolic link.

    A tuple and no dataclass, because a pass makes millions: it takes a quarter of the time to make and to unpickle.

    :ivar path: relative to the storage root.
    :ivar size: bytes; 0 unless a file.
    :ivar mtime_ns: nanoseconds since 1970; as coarse as the storage that it was read from.
    :ivar mode: permission bits, without set-uid, set-gid and sticky: these mean something only with the owner, and
        owners are not replicated.
    :ivar sha256: 32 raw bytes; only of files, and only once their content was read.
    :ivar link_target: as it is stored in a symbolic link.
    :ivar version: of an object in a versioned bucket: the id under which these bytes stay readable.
    """

    path: bytes
    kind: Kind
    size: int
    mtime_ns: int
    mode: int
    sha256: bytes | None = None
    link_target: bytes | None = None
    version: bytes | None = None


entry_of: Callable[[Iterable[object]], Entry] = partial(tuple.__new__, Entry)
"""Makes an entry of all its values, in their order, in a third of the time that the class takes: for millions."""


def from_row(row: Row) -> Entry:
    """Return the entry of a row."""
    path, code, size, mtime_ns, mode, link_target, version = row
    return entry_of((path, KINDS[code], size, mtime_ns, mode, None, link_target, version))


def to_row(entry: Entry) -> Row:
    """Return the row that a listing shows of an entry."""
    code = CODES[entry.kind]
    return entry.path, code, entry.size, entry.mtime_ns, entry.mode, entry.link_target, entry.version


MODE_BITS = 0o777


def sort_key(path: bytes) -> bytes:
    """Return what manifests and everything merged with them are sorted by: the bytes of the whole path.

    >>> sorted([b"a/x", b"a-b", b"a"], key=sort_key)
    [b'a', b'a-b', b'a/x']
    """
    return path


def in_path_order(names: Iterable[bytes]) -> Generator[bytes, bool | None, None]:
    """Yield the names of one folder, and each subfolder's name with ``/`` where its content belongs in path order.

    The caller answers each plain name with whether it is a folder (``send(True)``), once it has found out.

    :param names: sorted.
    """
    waiting: list[bytes] = []
    for name in names:
        while waiting and waiting[-1] < name:
            yield waiting.pop()
        if (yield name):
            waiting.append(name + b"/")
    while waiting:
        yield waiting.pop()


class OpenFolders:
    """The folders of a stream in path order that may still hold entries to come.

    Memory follows the depth of the tree: a folder is forgotten when the stream has passed its last possible entry.
    """

    def __init__(self) -> None:
        self._prefixes: list[bytes] = []

    def enter(self, folder: bytes) -> None:
        """Remember a folder; call it when its own entry passes."""
        self._forget_before(folder)
        self._prefixes.append(folder + b"/")

    def contains(self, path: bytes) -> bool:
        """Tell whether one of the folders holds ``path``, at any depth."""
        self._forget_before(path)
        return any(path.startswith(prefix) for prefix in self._prefixes)

    def has_parent_of(self, path: bytes) -> bool:
        """Tell whether the folder that holds ``path`` directly was entered; the root always was."""
        self._forget_before(path)
        parent = path[: path.rfind(b"/") + 1]
        return not parent or parent in self._prefixes

    def open_at(self, path: bytes | None) -> list[bytes]:
        """Return the folders, with ``/``, that may hold ``path`` or what follows it; None stands for the end."""
        return (
            [] if path is None else [folder for folder in self._prefixes if folder >= path or path.startswith(folder)]
        )

    def _forget_before(self, path: bytes) -> None:
        prefixes = self._prefixes
        while prefixes and prefixes[-1] < path and not path.startswith(prefixes[-1]):
            prefixes.pop()


def parent_of(path: bytes) -> bytes:
    """Return the folder that holds ``path``; empty for the root.

    >>> parent_of(b"a/b/c"), parent_of(b"a")
    (b'a/b', b'')
    """
    return path[: max(path.rfind(b"/"), 0)]


def is_safe(path: bytes) -> bool:
    """Tell whether a path stays inside the root: relative, no empty part, no ``.``, ``..`` or NUL in it."""
    return b"\0" not in path and not {b"", b".", b".."}.intersection(path.split(b"/"))


def first_unsafe(paths: Sequence[bytes]) -> bytes | None:
    """Return the first path that does not stay inside the root; None when all do, which takes one look at all of them.

    >>> first_unsafe([b"a/b", b"..c", b"a/../../b"])
    b'a/../../b'
    """
    parts = b"/%s/" % b"/".join(paths)
    if not paths or not any(fault in parts for fault in (b"\0", b"//", b"/./", b"/../")):
        return None
    return next(path for path in paths if not is_safe(path))


def leads_inside(path: bytes, target: bytes) -> bool:
    """Tell whether a link at ``path`` that holds ``target`` stays inside the root, as far as the texts tell.

    >>> leads_inside(b"a/b", b"../c"), leads_inside(b"a/b", b"../../c"), leads_inside(b"a", b"/c")
    (True, False, False)
    """
    depth = path.count(b"/")
    for part in target.split(b"/"):
        depth += -1 if part == b".." else part not in {b"", b"."}
        if depth < 0:
            return False
    return not target.startswith(b"/")


def shown(path: bytes) -> str:
    r"""Return a path as one printable line, for messages and logs; file names may hold anything.

    >>> print(shown(b"a\nb\xff"))
    a\nb\xff
    """
    text = path.decode(errors="backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
