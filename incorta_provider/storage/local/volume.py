"""The volume that is mounted here: local, or NFS."""
# Names are bytes, which pathlib does not take.
# ruff: noqa: PTH106, PTH108, PTH112, PTH207

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import repeat
from pathlib import Path

from incorta_provider.dr.diff import same_mtime
from incorta_provider.dr.manifest import Entry, parent_of
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.storage.apply.content import Content
from incorta_provider.storage.apply.redo_journal import Step
from incorta_provider.storage.apply.replica import Replica
from incorta_provider.storage.copying.free_space import Room, room
from incorta_provider.storage.digests import Reader
from incorta_provider.storage.durable import sync_filesystem
from incorta_provider.storage.faults import GONE, translated
from incorta_provider.storage.flow.throttle import alive
from incorta_provider.storage.folders import remove_tree
from incorta_provider.storage.local.apart import ensure_apart
from incorta_provider.storage.local.mounts import mounts_below, same_mount
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.tree import Tree
from incorta_provider.storage.vault.kept_files import kept_files
from incorta_provider.storage.volume import LIVE, AreaReader, LiveRoot

_OF_THE_REPLICA = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX
"""Bits of folders that are not replicated, and that whoever runs the site may have set there."""


class LocalVolume:
    """The replica at ``root`` and the vault in the folder ``vault``, on one file system.

    See :class:`incorta_provider.storage.volume.Volume`, which it fits.
    """

    def __init__(self, root: Path, vault: Path) -> None:
        self._root = root
        self._vault = vault

    @property
    def label(self) -> str:
        """Where the live root is."""
        return str(self._root)

    @property
    def vault_label(self) -> str:
        """Where the vault is."""
        return str(self._vault)

    def live(self, exclude: Sequence[str] = ()) -> Tree:
        """Return the live replica as a tree."""
        return LocalTree(self._root, exclude)

    def area(self, name: bytes) -> Tree:
        """Return what lies in one area as a tree."""
        return LocalTree(Path(os.fsdecode(self._path(name))))

    def live_root(self) -> LiveRoot:
        """Look at the live root."""
        with translated(self.label):
            there, makeable = self._root.is_dir(), self._root.parent.is_dir()
            nearest = self._root if there else self._root.parent
            same = (there or makeable) and self._is_reached_from(nearest)
            if same:
                self._ensure_undivided()
            ensure_apart(self._root, self._vault)
            names = tuple(sorted(os.listdir(os.fsencode(self._root)))) if there else ()  # noqa: PTH208
            return LiveRoot(there, makeable, same, names)

    def _is_reached_from(self, folder: Path) -> bool:
        """Tell whether a rename leads from the vault to a folder; two mounts of one file system are apart, too."""
        if folder.stat().st_dev != self._vault.stat().st_dev:
            return False
        with suppress(OSError):
            return same_mount(os.fsencode(folder), os.fsencode(self._vault))
        return True

    def _ensure_undivided(self) -> None:
        """Refuse another file system inside of replica or vault: an apply would stop there half way."""
        inside: list[str] = []
        for root in (self._root, self._vault):
            with suppress(OSError):
                inside += (str(root / os.fsdecode(path)) for path in mounts_below(os.fsencode(root)))
        if inside:
            raise ConfigurationError(
                f"another file system is mounted inside, at {inside[0]}, and no file can be moved there",
                where=self.label,
                fix="Mount it elsewhere: replica and catalog must be one file system, with nothing mounted in them.",
            )

    def make_live_root(self) -> None:
        """Make the live root, in a folder that is there."""
        with translated(self.label):
            self._root.mkdir(exist_ok=True)

    def room(self) -> Room:
        """Ask how much fits on the vault's file system."""
        with translated(self.label):
            return room(self._vault)

    def areas(self, pattern: str) -> list[bytes]:
        """Return the folders in the vault whose names match, sorted."""
        with translated(self.label):
            vault = os.fsencode(self._vault)
            found = glob.glob(os.fsencode(pattern), root_dir=vault)
            return sorted(name for name in found if os.path.isdir(vault + b"/" + name))

    def reader(self, area: bytes, *, framing: bool = False) -> AreaReader:
        """Return what reads files of one area."""
        return Reader(self._path(area), framing=framing)

    def touched(self, area: bytes, batch: list[Entry], changed_ns: Sequence[int] = (), /) -> list[bytes]:
        """Return which files of an area are not as they are recorded, by size and time alone."""
        with translated(self.label):
            root = self._path(area) + b"/"
            stamped = zip(batch, changed_ns or repeat(None), strict=False)
            return [entry.path for entry, changed in stamped if not _is_as_recorded(root + entry.path, entry, changed)]

    def find(self, own: bytes, others: Sequence[bytes], batch: list[Entry]) -> list[bytes | None]:
        """Return where the bytes of each file lie, relative to the vault; None when nowhere."""
        with translated(self.label):
            content = Content(os.fsencode(self._vault), own, others)
            return [content.find(entry) for entry in batch]

    def do(self, steps: list[Step], history: bytes) -> list[bytes]:
        """Do steps of an apply, and return which folders of the replica they made, opened or changed."""
        with translated(self.label):
            vault = os.fsencode(self._vault)
            replica = Replica(os.fsencode(self._root), vault, vault + b"/" + history)
            for step in steps:
                replica.do(step)
                alive()
            return replica.changed_folders

    def finish(self, folders: list[Entry]) -> None:
        """Set time and mode of folders of the replica."""
        with translated(self.label):
            root = os.fsencode(self._root) + b"/"
            for entry in folders:
                own = os.lstat(root + entry.path).st_mode & _OF_THE_REPLICA
                os.chmod(root + entry.path, entry.mode | own)  # noqa: PTH101
                os.utime(root + entry.path, ns=(entry.mtime_ns, entry.mtime_ns))

    def sync(self) -> None:
        """Bring everything that was written to disk; both parts are on one file system."""
        with translated(self.label):
            sync_filesystem(self._vault)

    def heard(self) -> None:
        """Do nothing: the kernel has forgotten by itself."""

    def kept(self, area: bytes) -> Iterator[Entry]:
        """Yield the regular files of an area in the vault, in path order, without digests."""
        with translated(self.vault_label):
            yield from kept_files(self._path(area))

    def forget(self, places: list[bytes]) -> None:
        """Delete files of the vault, and folders that get empty by it."""
        with translated(self.label):
            vault = os.fsencode(self._vault) + b"/"
            for place in places:
                with suppress(FileNotFoundError):
                    os.unlink(vault + place)
                self._remove_empty(parent_of(place))

    def remove(self, area: bytes) -> None:
        """Remove an area of the vault with all that it holds."""
        with translated(self.label):
            remove_tree(os.fsencode(self._vault) + b"/" + area)

    def _remove_empty(self, folder: bytes) -> None:
        while b"/" in folder:
            try:
                os.rmdir(os.fsencode(self._vault) + b"/" + folder)
            except OSError:
                return
            folder = parent_of(folder)

    def _path(self, area: bytes) -> bytes:
        return os.fsencode(self._root) if area == LIVE else os.fsencode(self._vault) + b"/" + area


def _is_as_recorded(path: bytes, entry: Entry, changed_ns: int | None) -> bool:
    try:
        facts = os.lstat(path)
    except OSError as error:
        if error.errno in GONE:
            return False
        raise
    if not stat.S_ISREG(facts.st_mode) or facts.st_size != entry.size:
        return False
    same_time = facts.st_mtime_ns == entry.mtime_ns or same_mtime(facts.st_mtime_ns, entry.mtime_ns)
    return same_time and changed_ns in (None, facts.st_ctime_ns)
