"""What the contract needs of a kind of storage beside the provider's own classes.

A new kind is one class that fits :class:`Source`, one that fits :class:`Site`, or both, and its name in
``tests/contract/kinds.py``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.target import Target
from incorta_provider.storage.tree import Tree as SourceTree
from tests.contract.found import Found, Tree, read_folder


class Source(Protocol):
    """A place where files are written that are then replicated.

    :cvar kind: its name in the table.
    :cvar is_posix: it has folders, modes and times of its own; a bucket has keys.
    :cvar tells_modes_and_links: permission bits and links are carried.
    :cvar time_unit_ns: how finely times are told.
    """

    kind: str
    is_posix: bool
    tells_modes_and_links: bool
    time_unit_ns: int

    def tree(self, exclude: Sequence[str] = ()) -> SourceTree:
        """Return the provider's view of it."""

    def put(self, path: bytes, content: bytes, *, mode: int = 0o644, mtime_ns: int | None = None) -> None:
        """Write a file, with the folders that it needs."""

    def remove(self, path: bytes) -> None:
        """Remove a file, or a folder with all that is in it."""

    def read(self) -> Tree:
        """Return everything that is there."""

    def names(self) -> set[bytes]:
        """Return the paths of all files, without reading one."""


class Site(Protocol):
    """A place where the live replica stands.

    :cvar kind: its name in the table.
    :cvar is_posix: it keeps folders, links, modes and times.
    :ivar records: where the catalog is to be.
    """

    kind: str
    is_posix: bool
    records: Path

    def prepare(self, catalog: Catalog) -> None:
        """Do what a person does who begins with a group at this kind of site."""

    def target(self, catalog: Catalog) -> Target:
        """Return the provider's view of it."""

    def read(self) -> Tree:
        """Return the live replica; nothing before the first apply."""

    def names(self) -> set[bytes]:
        """Return the paths of all files of it, without reading one."""

    def staged(self, catalog: Catalog, workspace: Workspace) -> Tree:
        """Return what a run has staged."""

    def put(self, path: bytes, content: bytes) -> None:
        """Write into the replica by hand."""

    def remove(self, path: bytes) -> None:
        """Remove from the replica by hand."""

    def damage(self, path: bytes) -> None:
        """Change a byte of a file of the replica so that neither its size nor its time shows it."""

    def damage_staged(self, catalog: Catalog, workspace: Workspace, path: bytes) -> None:
        """Do the same to a staged file."""

    def damage_sealed(self, catalog: Catalog, point_id: str, path: bytes) -> None:
        """Change a byte of a sealed file that is not applied yet, and let its time show it."""


class Folder:
    """A folder of this machine: what is mounted here, and what a node on loopback has."""

    is_posix = True
    tells_modes_and_links = True
    time_unit_ns = 1

    def __init__(self, root: Path) -> None:
        self.root = root

    def at(self, path: bytes) -> Path:
        """Return where a path is."""
        return Path(os.fsdecode(os.fsencode(self.root) + b"/" + path))

    def put(self, path: bytes, content: bytes, *, mode: int = 0o644, mtime_ns: int | None = None) -> None:
        """Write a file, with the folders that it needs."""
        place = self.at(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod(mode)
        if mtime_ns is not None:
            os.utime(place, ns=(mtime_ns, mtime_ns))

    def remove(self, path: bytes) -> None:
        """Remove a file, or a folder with all that is in it."""
        place = self.at(path)
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink()

    def read(self) -> dict[bytes, Found]:
        """Return everything that is there."""
        return read_folder(self.root) if self.root.exists() else {}

    def names(self) -> set[bytes]:
        """Return the paths of all files."""
        skipped = len(os.fsencode(self.root)) + 1
        return {
            at[skipped:] + b"/" + name if at[skipped:] else name
            for at, _, names in os.walk(os.fsencode(self.root))
            for name in names
        }

    def damage(self, path: bytes) -> None:
        """Change the first byte of a file, and set its time back."""
        change_first_byte(self.at(path))


def change_first_byte(place: Path) -> None:
    """Change the first byte of a file, and set its time back."""
    facts = place.stat()
    content = place.read_bytes()
    with place.open("r+b") as file:
        file.write(bytes([content[0] ^ 0xFF]))
    os.utime(place, ns=(facts.st_mtime_ns, facts.st_mtime_ns))
