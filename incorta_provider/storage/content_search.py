"""Searches the content of files for texts, whatever the size and the kind of storage.

What is compressed or encoded inside a file is not looked into.

:raises TransientError: a file changed while it was read.
:raises IntegrityError: a file may not be read.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO

from incorta_provider.dr.manifest import Entry, Kind, shown
from incorta_provider.exceptions import IntegrityError, TransientError
from incorta_provider.storage.exclude import Exclude
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.tree import Missed, Tree

CHUNK_BYTES = 4 << 20
READERS = 4
"""Files that are read at the same time: from a bucket or a node each takes its time to come."""

_AT_ONCE = 64


@dataclass(frozen=True)
class Wanted:
    """What is searched for.

    :ivar texts: the forms of each text, by its name.
    :ivar masks: texts in which one of those does not count.
    """

    texts: Mapping[str, Sequence[bytes]]
    masks: Sequence[bytes] = ()

    def names_in(self, file: IO[bytes]) -> set[str]:
        """Return the names of the texts that a file holds; it is read once, in chunks."""
        waiting = {name: [(form, _around(form, self.masks)) for form in forms] for name, forms in self.texts.items()}
        margin = max(map(len, [*(form for forms in self.texts.values() for form in forms), *self.masks]), default=0)
        found: set[str] = set()
        buffer, begin, ended = b"", 0, False
        while waiting and not ended:
            chunk = file.read(CHUNK_BYTES)
            buffer, ended = buffer + chunk, not chunk
            end = len(buffer) if ended else max(begin, len(buffer) - margin)
            found |= {
                name for name, forms in waiting.items() if any(_holds(buffer, begin, end, *form) for form in forms)
            }
            waiting = {name: forms for name, forms in waiting.items() if name not in found}
            cut = max(0, end - margin)
            buffer, begin = buffer[cut:], end - cut
        return found


@dataclass(frozen=True)
class Searched:
    """What a search of files found.

    :ivar found: path and name of the text, sorted.
    """

    files: int
    found: Sequence[tuple[bytes, str]]


def search_files(tree: Tree, patterns: Sequence[str], wanted: Wanted, *, passed_over: Sequence[str] = ()) -> Searched:
    """Search the files whose path matches one of the patterns, see :mod:`incorta_provider.storage.exclude`.

    :param passed_over: patterns of files that may hold the texts.
    """
    chosen, spared, texts = Exclude(patterns), Exclude(passed_over), any(wanted.texts.values())
    entries = (
        entry
        for entry in (tree.list() if chosen and texts else ())
        if entry.kind is Kind.FILE
        and chosen.matches(entry.path, is_folder=False)
        and not spared.matches(entry.path, is_folder=False)
    )
    files, found = 0, []
    with tempfile.TemporaryDirectory(prefix="incorta_dr_") as folder, ThreadPoolExecutor(READERS) as pool:
        for batch in _batches(entries):
            for entry, names in zip(batch, pool.map(_reader(tree, Path(folder), wanted), batch), strict=True):
                files += 1
                found += [(entry.path, name) for name in names]
    return Searched(files, sorted(found))


def _batches(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while batch := list(islice(entries, _AT_ONCE)):
        yield batch


def _reader(tree: Tree, folder: Path, wanted: Wanted) -> Callable[[Entry], set[str]]:
    """Return what searches one file: in its place, or in a copy of it."""
    return partial(_in_place, tree, wanted) if isinstance(tree, LocalTree) else partial(_in_copy, tree, folder, wanted)


def _in_place(tree: LocalTree, wanted: Wanted, entry: Entry) -> set[str]:
    try:
        with (tree.root / os.fsdecode(entry.path)).open("rb") as file:
            return wanted.names_in(file)
    except OSError as error:
        raise IntegrityError(
            f"{shown(entry.path)} cannot be searched: {error.strerror}", where=tree.label, fix="Make it readable."
        ) from None


def _in_copy(tree: Tree, folder: Path, wanted: Wanted, entry: Entry) -> set[str]:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        copy = Path(place) / "copy"
        if isinstance(tree.fetch(entry, os.fsencode(copy)), Missed):
            raise TransientError(
                f"{shown(entry.path)} changed while it was searched", where=tree.label, fix="Try again."
            )
        with copy.open("rb") as file:
            return wanted.names_in(file)


def _around(form: bytes, masks: Sequence[bytes]) -> list[tuple[bytes, int]]:
    """Return each mask that holds a form, with each place in it."""
    return [(mask, at) for mask in masks for at in range(len(mask)) if mask.startswith(form, at)]


def _holds(buffer: bytes, begin: int, end: int, form: bytes, masks: Sequence[tuple[bytes, int]]) -> bool:
    """Tell whether a form begins in a part of the buffer, and not within a mask."""
    at = buffer.find(form, begin)
    while at != -1 and at < end:
        if not any(at >= before and buffer.startswith(mask, at - before) for mask, before in masks):
            return True
        at = buffer.find(form, at + 1)
    return False
