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
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from incorta_provider.connection import ConnectionInfo, Connections
from incorta_provider.dr.manifest import Entry, Kind, in_path_order, shown
from incorta_provider.exceptions import ConfigurationError, DrError, IntegrityError, PreconditionError, TransientError
from incorta_provider.late import late
from incorta_provider.storage.copying.stamps import tick_seconds
from incorta_provider.storage.exclude import Exclude
from incorta_provider.storage.faults import target_fault
from incorta_provider.storage.flow.throttle import moved
from incorta_provider.storage.fsspec_facts import Info, mode_of, name_of, version_ns
from incorta_provider.storage.local.copy import write_all
from incorta_provider.storage.tree import Missed

if TYPE_CHECKING:
    import fsspec
else:
    fsspec = late("fsspec")

_CHUNK_BYTES = 1024 * 1024
_FILE_MODE, _FOLDER_MODE = 0o644, 0o755
_LOOKS = 4
"""So often a file is looked at that gets a new time each time, before it counts as one that is being written."""

_OURS = (DrError, FileNotFoundError, UnicodeDecodeError)
"""What who asks the storage deals with himself."""


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
        self._listed_at = time.monotonic()

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle what makes it."""
        return FsspecTree, (self._scheme, self._info, self._root, self._patterns)

    @property
    def label(self) -> str:
        """Its address, for messages."""
        return f"{self._scheme}://{self._info.conn_id}{'' if self._root.startswith('/') else '@'}{self._root}"

    def check(self) -> None:
        """Refuse a folder that is not there or empty."""
        if not self._top():
            raise PreconditionError(
                "the source is empty", where=self.label, fix="Check the path, and that the storage is mounted there."
            )

    def list(self, begin: bytes = b"", end: bytes | None = None) -> Iterator[Entry]:
        """Yield what is below the root in path order, without digests.

        What vanishes meanwhile is left out; but when nothing is left at the end of what was at the root at the
        beginning, the storage was unmounted under the listing, and what was seen cannot be trusted.

        :raises IntegrityError: a folder cannot be read, the root was replaced, or there is what cannot be carried.
        :raises PreconditionError: the root is gone.
        :raises ConfigurationError: the storage does not tell what shows that a file was written over.
        """
        top = self._top()
        for entry in self._below(b"", top):
            if end is not None and entry.path >= end:
                break
            if entry.path >= begin:
                yield entry
        self._ensure_same(top)
        self._listed_at = time.monotonic()

    def holds(self, path: bytes) -> bool:
        """Tell whether there is a file at a path, without a listing."""
        facts = self._facts(path, self._place(path))
        return facts is not None and facts.kind is Kind.FILE

    def fetch(self, entry: Entry, into: bytes) -> Entry | Missed:
        """Copy one file to ``into`` and return what was copied."""
        place = self._place(entry.path)
        before = self._rested(entry, place)
        if isinstance(before, Missed):
            return before
        target = _made(into)
        whole = False
        try:
            size, digest = self._pump(entry.path, place, target, into)
            whole = size == before.size and self._facts(entry.path, place) == before
            if whole:
                os.fchmod(target, before.mode)
                os.utime(target, ns=(before.mtime_ns, before.mtime_ns))
        except FileNotFoundError:
            return Missed.VANISHED
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
            options = dict(self._info.extra.get("fsspec") or {})
            return fsspec.filesystem(self._scheme, **options, skip_instance_cache=True)
        except (DrError, ConnectionError, TimeoutError):
            raise
        except (ImportError, ValueError, TypeError, OSError) as error:
            if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
                raise
            raise ConfigurationError(
                f"there is no access to {self._scheme}://: {error}",
                where=f"connection {self._info.conn_id}",
                fix="Install what the message names at the workers, or correct `fsspec` in the connection's extra.",
            ) from None

    @contextmanager
    def _asked(self, path: bytes) -> Iterator[None]:
        """Frame what is asked of the storage; what its library raises may be anything.

        The way in is given up then: a connection that is gone answers no later question either.
        """
        try:
            yield
        except _OURS:
            raise
        except PermissionError as error:
            raise IntegrityError(
                f"cannot read {shown(path) or 'the root'}: {error}",
                where=self.label,
                fix="Give the account of the connection the right to read it, or exclude it in the topology.",
            ) from None
        except Exception as error:
            self._give_up()
            raise TransientError(
                f"reading {shown(path) or 'the root'} failed: {str(error) or type(error).__name__}",
                where=self.label,
                fix="Check the storage, then retry.",
            ) from error

    def _give_up(self) -> None:
        close = getattr(vars(self._of_thread).pop("fs", None), "close", None)
        if close is not None:
            close()

    def _top(self) -> Mapping[bytes, Info]:
        """Return what is at the root right now, whatever the library remembers of an earlier pass."""
        with self._asked(b""):
            self._fs.invalidate_cache()
        return self._in(b"")

    def _ensure_same(self, top: Mapping[bytes, Info]) -> None:
        if top and not top.keys() & self._top().keys():
            raise IntegrityError(
                "nothing is left of what was at the root when the listing began",
                where=self.label,
                fix="It was unmounted or replaced: check the storage, then start again.",
            )

    def _below(self, folder: bytes, found: Mapping[bytes, Info]) -> Iterator[Entry]:
        prefix = folder + b"/" if folder else b""
        walk = in_path_order(sorted(found))
        name = next(walk, None)
        while name is not None:
            is_folder: bool | None = None
            if name.endswith(b"/"):
                below = prefix + name[:-1]
                yield from self._below(below, self._in(below))
            else:
                path, info = prefix + name, found[name]
                is_folder = info["type"] == "directory"
                if self._exclude.matches(path, is_folder=is_folder):
                    is_folder = False
                else:
                    yield self._entry(path, info)
            name = _following(walk, is_folder)

    def _in(self, folder: bytes) -> Mapping[bytes, Info]:
        """Return what is in a folder, by name; nothing when it vanished."""
        place = self._place(folder)
        try:
            with self._asked(folder):
                found = self._fs.ls(place, detail=True)
        except FileNotFoundError:
            if folder:
                self._ensure_gone(folder)
                return {}
            raise PreconditionError(
                "there is no such folder at the source", where=self.label, fix="Correct the path in the topology."
            ) from None
        except UnicodeDecodeError:
            raise IntegrityError(
                f"a name in {shown(folder) or 'the root'} is not UTF-8, and such names cannot be carried from here",
                where=self.label,
                fix="Rename the file at the source; `exclude` cannot leave it out.",
            ) from None
        return {name_of(info): info for info in found if info["name"].rstrip("/") != place.rstrip("/")}

    def _ensure_gone(self, folder: bytes) -> None:
        """Refuse a folder that is named where it was found: some libraries say so of all that they cannot list."""
        parent, _, name = folder.rpartition(b"/")
        with self._asked(parent):
            self._fs.invalidate_cache()
        if name in self._in(parent):
            raise TransientError(
                f"{shown(folder)} is there, and cannot be listed",
                where=self.label,
                fix="Check the storage, then retry; or exclude the folder in the topology.",
            )

    def _entry(self, path: bytes, info: Info) -> Entry:
        if info["type"] == "directory":
            return Entry(path, Kind.DIR, 0, 1, mode_of(info, _FOLDER_MODE))
        if info["type"] != "file" or info.get("islink"):
            raise IntegrityError(
                f"{shown(path)} is a {info['type']}, which cannot be carried from here",
                where=self.label,
                fix="Replace it by what it leads to, or exclude it in the topology.",
            )
        time_ns = version_ns(info)
        if time_ns is None or info.get("size") is None:
            missing = "a time, check sum or version" if time_ns is None else "the size"
            raise ConfigurationError(
                f"this storage does not tell {missing} of {shown(path)}, so nobody would see that it was written over",
                where=self.label,
                fix="Reach the storage in another way, such as ssh:// or a mount. An FTP server needs MLSD (RFC 3659).",
            )
        return Entry(path, Kind.FILE, int(info["size"]), time_ns, mode_of(info, _FILE_MODE))

    def _rested(self, entry: Entry, place: str) -> Entry | Missed:
        """Return the facts of a file behind whose time no later write can hide.

        The storage's clock stamps it, and may be apart from ours. So it counts how long the time is known to be there:
        from the listing on, or from now.
        """
        known, since = entry.mtime_ns, self._listed_at
        for _ in range(_LOOKS):
            facts = self._facts(entry.path, place)
            if facts is None:
                return Missed.VANISHED
            if facts.kind is not Kind.FILE:
                return Missed.UNSETTLED
            if facts.mtime_ns != known:
                known, since = facts.mtime_ns, time.monotonic()
            pause = since + tick_seconds(known) - time.monotonic()
            if pause <= 0:
                return facts
            time.sleep(pause)
        return Missed.UNSETTLED

    def _facts(self, path: bytes, place: str) -> Entry | None:
        try:
            with self._asked(path):
                self._fs.invalidate_cache()
                return self._entry(path, self._fs.info(place))
        except FileNotFoundError:
            return None

    def _pump(self, path: bytes, place: str, target: int, into: bytes) -> tuple[int, bytes]:
        sha, size = hashlib.sha256(), 0
        with self._asked(path), self._fs.open(place, "rb") as source:
            while data := source.read(_CHUNK_BYTES):
                sha.update(data)
                size += len(data)
                _write(target, data, into)
                moved(len(data))
        return size, sha.digest()

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


def _made(into: bytes) -> int:
    try:
        return os.open(into, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise
    except OSError as error:
        raise target_fault(error, os.fsdecode(into)) from None


def _write(target: int, data: bytes, into: bytes) -> None:
    try:
        write_all(target, memoryview(data))
    except OSError as error:
        raise target_fault(error, os.fsdecode(into)) from None


def _following(walk: Any, is_folder: bool | None) -> bytes | None:
    try:
        following: bytes = walk.send(is_folder)
    except StopIteration:
        return None
    return following
