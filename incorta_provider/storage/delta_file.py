"""A delta as a Parquet file: what leads from one recovery point to the next, so that neither is read as a whole.

The rows are those of a manifest, in path order, each with a side: what a path was, what it became. Behind them stand
the folders that did not change themselves but hold a path that did: who changes names in a folder has to set its time
again. Read the other way round a delta leads back.

:raises IntegrityError: the file is no delta of this format.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from enum import IntEnum
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa

from incorta_provider.dr.diff import Change, ChangeKind
from incorta_provider.dr.manifest import Entry, Kind, parent_of
from incorta_provider.storage.arrow_columns import integers
from incorta_provider.storage.manifest_columns import FIELDS, to_columns, to_entries
from incorta_provider.storage.manifest_file import select
from incorta_provider.storage.parquet_draft import ParquetDraft, opened
from incorta_provider.storage.workspace import Workspace

FORMAT = "1"
GROUP_ROWS = 16_384

_FORMAT_KEY = b"incorta_dr.delta"
_BASE_KEY = b"incorta_dr.base"
_SCHEMA = pa.schema([*FIELDS, pa.field("side", pa.uint8(), nullable=False)], metadata={_FORMAT_KEY: FORMAT})


class _Side(IntEnum):
    OLD = 0
    NEW = 1
    FOLDER = 2


class DeltaWriter:
    """Writes a delta: it appears, whole and on disk, when the ``with`` block ends without an error.

    :param base: the id of the point that it leads from; None when there is none.
    """

    def __init__(self, path: Path, base: str | None) -> None:
        self._path = path
        self._base = base
        self._entries: list[Entry] = []
        self._sides: list[int] = []

    def __enter__(self) -> Self:
        self._draft = ParquetDraft(self._path, _SCHEMA)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._draft.discard()
            return
        self._flush()
        self._draft.publish({_BASE_KEY: self._base})

    def add(self, change: Change) -> None:
        """Write one change; each path must sort behind the one before."""
        if change.old is not None:
            self._add(change.old, _Side.OLD)
        if change.new is not None:
            self._add(change.new, _Side.NEW)
        if len(self._entries) >= GROUP_ROWS:
            self._flush()

    def add_folders(self, folders: Iterable[Entry]) -> None:
        """Write the folders that hold a changed path, behind all changes."""
        for folder in folders:
            self._add(folder, _Side.FOLDER)

    def _add(self, entry: Entry, side: _Side) -> None:
        self._entries.append(entry)
        self._sides.append(side)

    def _flush(self) -> None:
        if self._entries:
            columns = [*to_columns(self._entries), integers(self._sides, pa.uint8())]
            self._draft.file.write_table(pa.Table.from_arrays(columns, schema=_SCHEMA))
            self._entries.clear()
            self._sides.clear()


def write_delta(path: Path, base: str | None, changes: Iterable[Change], manifest: Path) -> None:
    """Write a delta.

    :param base: the id of the point that it leads from; None when there is none.
    :param changes: in path order.
    :param manifest: what it leads to; the entries of unchanged folders are looked up there. Memory follows the number
        of folders that hold a change.
    """
    holders: set[bytes] = set()
    changed: set[bytes] = set()
    with DeltaWriter(path, base) as writer:
        for change in changes:
            writer.add(change)
            holders.update(parent_of(entry.path) for entry in (change.new, change.old) if entry is not None)
            if change.new is not None and change.new.kind is Kind.DIR:
                changed.add(change.new.path)
        found = select(manifest, sorted(holders - changed))
        writer.add_folders(entry for entry in found if entry.kind is Kind.DIR)


def delta_base(path: Path) -> str | None:
    """Return the id of the point that the delta leads from; None when it leads from nothing."""
    with opened(path, "delta", _FORMAT_KEY, FORMAT) as file:
        base: str | None = json.loads(file.metadata.metadata[_BASE_KEY])
        return base


def read_delta(path: Path) -> Iterator[Change]:
    """Yield the changes in path order."""
    rows = ((entry, side) for entry, side in _rows(path) if side != _Side.FOLDER)
    for _, sides in groupby(rows, key=lambda row: row[0].path):
        by_side = {side: entry for entry, side in sides}
        yield change_between(by_side.get(_Side.OLD), by_side.get(_Side.NEW))


def read_folders(path: Path) -> Iterator[Entry]:
    """Yield the folders that directly hold a changed path and are the same at both points, in path order."""
    return (entry for entry, side in _rows(path) if side == _Side.FOLDER)


def change_between(old: Entry | None, new: Entry | None) -> Change:
    """Return what leads from one entry of a path to the other; one of them is not None."""
    if old is None:
        return Change(ChangeKind.ADDED, None, new)
    return Change(ChangeKind.REMOVED if new is None else ChangeKind.CHANGED, old, new)


def drop_from_delta(workspace: Workspace, paths: Iterable[bytes]) -> None:
    """Take files out of what the point to be brings; paths that it does not bring are fine.

    What the point before has under such a path is removed then. Call it beside the same for the manifest, each as
    often as you like: a process may die between the two.
    """
    dropped = set(paths)
    if not dropped:
        return
    delta = workspace.delta
    with DeltaWriter(delta, delta_base(delta)) as writer:
        for change in read_delta(delta):
            if change.new is None or change.new.path not in dropped:
                writer.add(change)
            elif change.old is not None:
                writer.add(change_between(change.old, None))
        writer.add_folders(read_folders(delta))


def _rows(path: Path) -> Iterator[tuple[Entry, int]]:
    with opened(path, "delta", _FORMAT_KEY, FORMAT) as file:
        for number in range(file.num_row_groups):
            group = file.read_row_group(number, use_threads=False)
            yield from zip(to_entries(group), group["side"].to_pylist(), strict=True)
