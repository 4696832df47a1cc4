"""Any other kind of storage as a source, through fsspec: ``sftp://conn_id/path``, ``gs://conn_id@bucket/prefix``, ...

As a source only: fsspec promises neither renames that are atomic nor versions, and a target needs one of them.

SFTP logs in as all else does over SSH, with the pinned host key of the connection. What another file system needs, such
as keys or an endpoint, stands in the connection's extra field under ``fsspec``, as its own documentation names it; the
library for it must be installed at the workers.

:raises ConfigurationError: the scheme is unknown to fsspec, its library is not installed, or its options are wrong.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from incorta_provider.connection import ConnectionInfo, Connections
from incorta_provider.dr.manifest import MODE_BITS, Entry, Kind, in_path_order, shown
from incorta_provider.exceptions import ConfigurationError, DrError, IntegrityError, PreconditionError, TransientError
from incorta_provider.late import late
from incorta_provider.storage.copying.stamps import SECOND_NS, seconds_to_rest
from incorta_provider.storage.exclude import Exclude
from incorta_provider.storage.faults import target_fault
from incorta_provider.storage.flow.throttle import moved
from incorta_provider.storage.local.copy import write_all
from incorta_provider.storage.tree import Missed

if TYPE_CHECKING:
    import fsspec
else:
    fsspec = late("fsspec")

_CHUNK_BYTES = 1024 * 1024
_TIMES = ("mtime", "last_modified", "LastModified", "modified", "updated", "created")
_FILE_MODE, _FOLDER_MODE = 0o644, 0o755


class FsspecTree:
    """A tree behind fsspec; can be pickled, and connects again in another process.

    Modes and times are the storage's, where it tells them. Folders have no time.

    :param scheme: as fsspec calls the kind of storage.
    :param root: the folder, as fsspec writes it.
    """

    def __init__(self, scheme: str, info: ConnectionInfo, root: str, exclude: Sequence[str] = ()) -> None:
        self._scheme = scheme
        self._info = info
        self._root = root.rstrip("/")
        self._patterns = tuple(exclude)
        self._exclude = Exclude(exclude)
        self._of_thread = threading.local()

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle what makes it."""
        return FsspecTree, (self._scheme, self._info, self._root, self._patterns)

    @property
    def label(self) -> str:
        """Its address, for messages."""
        return f"{self._scheme}://{self._info.conn_id}{'' if self._root.startswith('/') else '@'}{self._root}"

    def check(self) -> None:
        """Refuse a folder that is not there or empty."""
        if not self._names(b""):
            raise PreconditionError(
                "the source is empty", where=self.label, fix="Check the path, and that the storage is mounted there."
            )

    def list(self, begin: bytes = b"", end: bytes | None = None) -> Iterator[Entry]:
        """Yield what is below the root in path order, without digests."""
        for entry in self._below(b""):
            if end is not None and entry.path >= end:
                return
            if entry.path >= begin:
                yield entry

    def fetch(self, entry: Entry, into: bytes) -> Entry | Missed:
        """Copy one file to ``into`` and return what was copied."""
        place = self._place(entry.path)
        before = self._rested(entry.path, place)
        if before is None:
            return Missed.VANISHED
        target = os.open(into, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        whole = False
        try:
            size, digest = self._pump(entry.path, place, target)
            after = self._facts(entry.path, place)
            whole = size == before.size and after == before
            if whole:
                os.fchmod(target, before.mode)
                os.utime(target, ns=(before.mtime_ns, before.mtime_ns))
        finally:
            os.close(target)
            if not whole:
                os.unlink(into)  # noqa: PTH108 - names are bytes
        return before._replace(sha256=digest) if whole else Missed.UNSETTLED

    @property
    def _fs(self) -> Any:
        """The way in of this thread alone: an SFTP client that two threads ask at once gives one of them no answer."""
        if not hasattr(self._of_thread, "fs"):
            self._of_thread.fs = self._connected()
        return self._of_thread.fs

    def _connected(self) -> Any:
        try:
            if self._scheme == "sftp":
                from incorta_provider.storage.pinned_sftp import PinnedSftp  # noqa: PLC0415 - needs paramiko

                return PinnedSftp(self._info)
            return fsspec.filesystem(self._scheme, **dict(self._info.extra.get("fsspec") or {}))
        except DrError:
            raise
        except (ImportError, ValueError, TypeError, OSError) as error:
            raise ConfigurationError(
                f"there is no access to {self._scheme}://: {error}",
                where=f"connection {self._info.conn_id}",
                fix="Install what the message names at the workers, or correct `fsspec` in the connection's extra.",
            ) from None

    def _below(self, folder: bytes) -> Iterator[Entry]:
        found = {_name(info): info for info in self._names(folder)}
        prefix = folder + b"/" if folder else b""
        walk = in_path_order(sorted(found))
        name = next(walk, None)
        while name is not None:
            is_folder: bool | None = None
            if name.endswith(b"/"):
                yield from self._below(prefix + name[:-1])
            else:
                entry = self._entry(prefix + name, found[name])
                is_folder = entry.kind is Kind.DIR
                if self._exclude.matches(entry.path, is_folder=is_folder):
                    is_folder = False
                else:
                    yield entry
            name = _following(walk, is_folder)

    def _names(self, folder: bytes) -> Sequence[Mapping[str, Any]]:
        place = self._place(folder)
        try:
            found = [info for info in self._fs.ls(place, detail=True) if info["name"].rstrip("/") != place.rstrip("/")]
        except FileNotFoundError:
            if folder:
                return ()
            raise PreconditionError(
                "there is no such folder at the source", where=self.label, fix="Correct the path in the topology."
            ) from None
        except UnicodeDecodeError:
            raise IntegrityError(
                f"a name in {shown(folder) or 'the root'} is not UTF-8, and such names cannot be carried from here",
                where=self.label,
                fix="Rename the file at the source; `exclude` cannot leave it out.",
            ) from None
        except OSError as error:
            raise self._fault(error, folder) from None
        return found

    def _entry(self, path: bytes, info: Mapping[str, Any]) -> Entry:
        if info["type"] == "directory":
            return Entry(path, Kind.DIR, 0, 1, _mode(info, _FOLDER_MODE))
        if info["type"] != "file" or info.get("islink"):
            raise IntegrityError(
                f"{shown(path)} is a {info['type']}, which cannot be carried from here",
                where=self.label,
                fix="Replace it by what it leads to, or exclude it in the topology.",
            )
        return Entry(path, Kind.FILE, int(info["size"] or 0), _mtime_ns(info), _mode(info, _FILE_MODE))

    def _rested(self, path: bytes, place: str) -> Entry | None:
        """Return the facts of a file that is older than one tick of the clock that stamps it."""
        facts = self._facts(path, place)
        if facts is not None and (pause := seconds_to_rest(facts.mtime_ns)):
            time.sleep(pause)
            return self._facts(path, place)
        return facts

    def _facts(self, path: bytes, place: str) -> Entry | None:
        try:
            self._fs.invalidate_cache()
            return self._entry(path, self._fs.info(place))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._fault(error, path) from None

    def _pump(self, path: bytes, place: str, target: int) -> tuple[int, bytes]:
        sha, size = hashlib.sha256(), 0

        def write(data: bytes) -> None:
            try:
                write_all(target, memoryview(data))
            except OSError as error:
                raise target_fault(error, self.label) from None

        try:
            with self._fs.open(place, "rb") as source:
                while data := source.read(_CHUNK_BYTES):
                    sha.update(data)
                    size += len(data)
                    write(data)
                    moved(len(data))
        except OSError as error:
            raise self._fault(error, path) from None
        return size, sha.digest()

    def _fault(self, error: OSError, path: bytes) -> DrError:
        if isinstance(error, PermissionError):
            return IntegrityError(
                f"cannot read {shown(path) or 'the root'}: {error}",
                where=self.label,
                fix="Give the account of the connection the right to read it, or exclude it in the topology.",
            )
        return TransientError(
            f"reading {shown(path) or 'the root'} failed: {error}",
            where=self.label,
            fix="Check the storage, then retry.",
        )

    def _place(self, path: bytes) -> str:
        name = path.decode("utf-8", "surrogateescape")
        return f"{self._root}/{name}" if name else self._root or "/"


def open_fsspec_tree(url: str, connections: Connections, exclude: Sequence[str] = ()) -> FsspecTree:
    """Return the tree at a URL; nothing is read yet."""
    parts = urlsplit(url)
    if parts.scheme == "sftp":
        return FsspecTree("sftp", connections(unquote(parts.netloc)), unquote(parts.path), exclude)
    conn_id, at, container = parts.netloc.rpartition("@")
    if not at or not conn_id or parts.scheme not in fsspec.available_protocols():
        raise ConfigurationError(
            f"there is no backend for {parts.scheme or 'no scheme'!r}"
            if parts.scheme not in fsspec.available_protocols()
            else "the URL names no connection",
            where=url,
            fix="Use file://, ssh://, s3://, sftp://conn_id/path, or scheme://conn_id@container/path of fsspec.",
        )
    return FsspecTree(parts.scheme, connections(unquote(conn_id)), container + unquote(parts.path), exclude)


def _name(info: Mapping[str, Any]) -> bytes:
    name: str = info["name"].rstrip("/").rpartition("/")[2]
    return name.encode("utf-8", "surrogateescape")


def _mode(info: Mapping[str, Any], otherwise: int) -> int:
    mode = info.get("mode")
    return mode & MODE_BITS if isinstance(mode, int) else otherwise


def _mtime_ns(info: Mapping[str, Any]) -> int:
    """Return the time that the storage tells, under whatever name; 1 where it tells none."""
    value = next((info[name] for name in _TIMES if info.get(name) is not None), None)
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        whole = value if value.tzinfo else value.replace(tzinfo=UTC)
        return int(whole.timestamp()) * SECOND_NS + whole.microsecond * 1000
    return int(value * SECOND_NS) if isinstance(value, int | float) else 1


def _following(walk: Any, is_folder: bool | None) -> bytes | None:
    try:
        following: bytes = walk.send(is_folder)
    except StopIteration:
        return None
    return following
