"""Bring the files of a recovery point to a folder beside the replica, which is only read.

A file lies in the live replica, or in the vault when an apply displaced it or did not take it yet. Replication goes on
meanwhile: what it moves between the two while this looks is looked for again. The manifest decides: a copy whose digest
is another one is none; of a reflink size and time must be the manifest's, and the compare that follows reads it.

:raises IntegrityError: the bytes of a file are nowhere.
:raises ConfigurationError: the file system shares no blocks between files.
:raises PreconditionError: there is no room, or the folder holds something.
"""
# Names are bytes, which pathlib does not take.
# ruff: noqa: PTH101, PTH102, PTH108, PTH211

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from incorta_provider.dr.diff import same_mtime
from incorta_provider.dr.manifest import Entry, Kind, shown
from incorta_provider.exceptions import ConfigurationError, IntegrityError, PreconditionError
from incorta_provider.storage.apply.content import Content
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.copying.free_space import ensure_room, room
from incorta_provider.storage.copying.work_pool import Batch, in_order
from incorta_provider.storage.faults import GONE, translated
from incorta_provider.storage.folders import remove_tree
from incorta_provider.storage.local.copy import copy_file
from incorta_provider.storage.local.volume import LocalVolume
from incorta_provider.storage.manifest.manifest_file import read_manifest
from incorta_provider.storage.vault.areas import CatalogAreas
from incorta_provider.storage.vault.vault import Vault

Way = Literal["copy", "reflink"]

FICLONE = 0x40049409
"""The request of ioctl that makes a file share another one's blocks (ioctl_ficlone(2), Linux 4.5 and later)."""

_NO_SHARING = frozenset({errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY})
_OPEN = 0o700

LOOKS = 2
"""How often both places are looked through."""


def place_files(catalog: Catalog, replica: Path, point_id: str, folder: Path, way: Way) -> None:
    """Make ``folder`` the files of a point.

    :param replica: the live replica, on whose catalog the point is.
    :param folder: absent or empty.
    """
    point = catalog.get(point_id)
    with translated(str(folder)):
        folder.mkdir(mode=_OPEN, exist_ok=True)
        if way == "copy":
            ensure_room(room(folder), str(folder), size=point.bytes, files=point.files)
        manifest = catalog.manifest_path(point_id)
        root = os.fsencode(folder) + b"/"
        _make_folders_and_links(root, read_manifest(manifest))
        placer = Placer(os.fsencode(replica), os.fsencode(catalog.root), point_id, root, way)
        files = (entry for entry in read_manifest(manifest) if entry.kind is Kind.FILE)
        for _ in in_order(placer, files):
            pass
        _finish_folders(root, manifest)
        folder.chmod(stat.S_IMODE(replica.stat().st_mode))


def empty_folder(folder: Path) -> None:
    """Remove a folder with all that a drill wrote there; an absent one is fine."""
    with translated(str(folder)):
        remove_tree(os.fsencode(folder))


def ensure_empty(folder: Path) -> None:
    """Refuse a folder that is somebody's.

    :raises PreconditionError: it holds something, or there is nothing that it could be made in.
    """
    with translated(str(folder)):
        if not folder.parent.is_dir():
            raise PreconditionError(
                "there is no folder for the drill's files", where=str(folder.parent), fix="Mount it, or make it."
            )
        if folder.exists() and any(folder.iterdir()):
            raise PreconditionError(
                "the folder of the drill is not empty, and no earlier drill left it that way",
                where=str(folder),
                fix="Name another folder in the topology, drill.storage; a drill empties its own.",
            )


@dataclass(frozen=True, slots=True)
class Placer:
    """Brings batches of files; picklable, for helper processes.

    :param vault: the root of the catalog.
    :param into: the folder, with a slash at its end.
    """

    replica: bytes
    vault: bytes
    point_id: str
    into: bytes
    way: Way

    def __call__(self, batch: Batch) -> None:
        """Bring one batch."""
        left = batch
        for _ in range(LOOKS):
            if left := [entry for entry in left if not self._placed(self.replica, entry.path, entry)]:
                content = self._content()
                left = [entry for entry in left if not self._is_kept(content, entry)]
        if left:
            raise IntegrityError(
                f"the bytes of {shown(left[0].path)} are nowhere",
                where=os.fsdecode(self.replica),
                fix="This point cannot be promoted. Run `incorta-dr verify --deep --repair`, or choose another one.",
            )

    def _is_kept(self, content: Content, entry: Entry) -> bool:
        kept = content.find(entry)
        return kept is not None and self._placed(self.vault, kept, entry)

    def _placed(self, root: bytes, path: bytes, entry: Entry) -> bool:
        """Bring one file from a path below a root, with the time and the mode of the manifest; or leave nothing."""
        if not self._brought(root, path, entry):
            return False
        os.chmod(self.into + entry.path, entry.mode)
        os.utime(self.into + entry.path, ns=(entry.mtime_ns, entry.mtime_ns))
        return True

    def _content(self) -> Content:
        """Return the vault as it is now: each apply makes a new area."""
        catalog = Catalog(Path(os.fsdecode(self.vault)))
        vault = Vault(catalog, LocalVolume(Path(os.fsdecode(self.replica)), catalog.root), CatalogAreas())
        own = vault.own_area(self.point_id)
        return Content(self.vault, own, vault.other_areas(own))

    def _brought(self, root: bytes, path: bytes, entry: Entry) -> bool:
        into = self.into + entry.path
        if self.way == "reflink":
            return _cloned(root + b"/" + path, entry, into)
        copied = copy_file(root, entry._replace(path=path), into)
        if not isinstance(copied, Entry):
            return False
        if copied.sha256 == entry.sha256:
            return True
        os.unlink(into)
        return False


def _cloned(source: bytes, entry: Entry, into: bytes) -> bool:
    try:
        origin = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in GONE:
            return False
        raise
    try:
        facts = os.fstat(origin)
        if facts.st_size != entry.size or not same_mtime(facts.st_mtime_ns, entry.mtime_ns):
            return False
        clone = os.open(into, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.ioctl(clone, FICLONE, origin)
        except OSError as error:
            raise _no_sharing(error, into) from None
        finally:
            os.close(clone)
    finally:
        os.close(origin)
    return True


def _no_sharing(error: OSError, into: bytes) -> OSError | ConfigurationError:
    if error.errno not in _NO_SHARING:
        return error
    return ConfigurationError(
        f"this file system shares no blocks between files: {error.strerror}",
        where=os.fsdecode(into),
        fix="Put drill.storage on the replica's file system (XFS, Btrfs), or set `way: copy` in the topology.",
    )


def _make_folders_and_links(root: bytes, entries: Iterator[Entry]) -> None:
    for entry in entries:
        if entry.kind is Kind.DIR:
            os.mkdir(root + entry.path, _OPEN)
        elif entry.kind is Kind.LINK:
            os.symlink(entry.link_target or b"", root + entry.path)


def _finish_folders(root: bytes, manifest: Path) -> None:
    """Give folders their mode, the deepest first: one that is not ours to open stays reachable until the end."""
    folders = [(entry.path, entry.mode) for entry in read_manifest(manifest) if entry.kind is Kind.DIR]
    for path, mode in reversed(folders):
        os.chmod(root + path, mode)
