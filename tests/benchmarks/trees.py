"""Trees of files that look like Incorta's: many folders of Parquet parts, and the changes that a load job makes.

Everything follows from numbers, so every run measures the same.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

IN_FOLDER = 100
_HEAD, _TAIL = b"PAR1", b"\x15\x00" + (2).to_bytes(4, "little") + b"PAR1"
"""The frame of a Parquet file with the shortest footer."""

_STRIDE = 7919
"""A prime: steps of it reach every number below any count that it does not divide."""

_SPREAD = 2_654_435_761
"""Knuth's multiplicative hash: neighbours get lengths that are far apart."""

_THREADS = 16
_NOISE = random.Random(1).randbytes(1 << 20)


@dataclass(frozen=True, slots=True)
class Changes:
    """How many files one load job adds, writes over and removes."""

    added: int
    changed: int
    removed: int


@dataclass(slots=True)
class Tree:
    """A source of files.

    :param first: how many files there are before any change.
    :param size: bytes of a file, about; they differ by a quarter each way.
    """

    root: Path
    first: int
    size: int
    _files: int = 0
    _steps: int = 0
    _changes: int = 0
    _met: set[int] = field(default_factory=set)

    def make(self) -> None:
        """Write the first files."""
        self._grow(self.first)

    def change(self, changes: Changes, among: int | None = None) -> None:
        """Do what a load job does: new files, files written over, files gone.

        :param among: the files that are written over and removed are spread over the folders of so many of the first;
            None for all of them.
        """
        self._changes += 1
        for number in self._next(changes.changed, among or self.first):
            self._path(number).write_bytes(self._content(number))
        for number in self._next(changes.removed, among or self.first):
            self._path(number).unlink()
        self._grow(changes.added)

    def _grow(self, files: int) -> None:
        for number in range(self._files, self._files + files):
            path = self._path(number)
            if number % IN_FOLDER == 0 or number == self._files:
                path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self._content(number))
        self._files += files

    def _next(self, count: int, among: int) -> list[int]:
        """Return some of the first files that no change met before."""
        if len(self._met) + count > among:
            raise ValueError(f"of {among} files, fewer than {count} met no change yet: too many rounds")
        found: list[int] = []
        while len(found) < count:
            number = self._steps * _STRIDE % among
            self._steps += 1
            if number not in self._met:
                found.append(number)
        self._met.update(found)
        return found

    def _path(self, number: int) -> Path:
        folder = number // IN_FOLDER
        return self.root / f"SCHEMA_{folder // 100:03d}" / f"TABLE_{folder:05d}" / "v1" / f"part-{number:07d}.parquet"

    def _content(self, number: int) -> bytes:
        """Return bytes that differ from file to file, and from one version of a file to the next in length too."""
        length = self.size * 3 // 4 + (number * _SPREAD + self._changes) % (self.size // 2)
        begin = number * 17 % (len(_NOISE) // 2)
        return _HEAD + (_NOISE * (1 + 2 * length // len(_NOISE)))[begin : begin + length] + _TAIL


def remove(*folders: Path) -> None:
    """Remove folders of any size; many threads, for a disk that takes its time to free blocks."""
    gone = partial(shutil.rmtree, ignore_errors=True)
    with ThreadPoolExecutor(_THREADS) as pool:
        for folder in folders:
            leaves = [at for at, below, _ in os.walk(folder) if not below]
            list(pool.map(gone, leaves))
            gone(folder)


def set_aside(*folders: Path) -> None:
    """Rename folders away instead of removing them.

    Where an ext4 has no journal, whoever makes a file passes over the inodes of files that were removed within the last
    minutes, one by one (``recently_deleted`` in fs/ext4/ialloc.c): a hundred thousand of them made everything that was
    measured behind it ten times as slow.
    """
    for folder in filter(Path.exists, folders):
        folder.rename(folder.with_name(f".{folder.name}-{uuid.uuid4().hex}"))


def warm(*roots: Path, content: bool = True) -> None:
    """Bring names, facts and, if asked, contents of everything below the roots into the kernel's caches."""
    for root in filter(Path.exists, roots):
        action = ["-exec", "cat", "{}", "+"] if content else ["-size", "-1c"]
        subprocess.run(["find", root, "-type", "f", *action], stdout=subprocess.DEVNULL, check=True)


def differences(left: Path, right: Path) -> str:
    """Return what rsync would still do to make ``right`` the same as ``left``; the time of the root is none."""
    argv = ["rsync", "-a", "--delete", "--dry-run", "--itemize-changes", f"{left}/", f"{right}/"]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    return "\n".join(line for line in done.stdout.splitlines() if not line.endswith(" ./"))
