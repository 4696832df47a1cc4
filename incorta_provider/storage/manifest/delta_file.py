"""A delta as a Parquet file: what leads from one recovery point to the next, so that neither is read as a whole.

The rows are those of a manifest, in path order, each with a side: what a path was, what it became. Behind them stand
the folders that did not change themselves but hold a path that did: who changes names in a folder has to set its time
again. Read the other way round a delta leads back.

:raises IntegrityError: the file is not a delta of this format.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache, partial
from itertools import compress, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incorta_provider.dr.diff import Change, ChangeKind
from incorta_provider.dr.manifest import DIR_CODE, FILE_CODE, Entry, Kind, parent_of
from incorta_provider.late import late
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.manifest.arrow_columns import integers, raw_bytes
from incorta_provider.storage.manifest.columns import fields, to_columns, to_entries
from incorta_provider.storage.manifest.manifest_file import ManifestWriter, first_paths, select
from incorta_provider.storage.manifest.parquet_draft import ParquetDraft, opened

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = late("pyarrow")

FORMAT = "1"
GROUP_ROWS = 16_384

_FORMAT_KEY = b"incorta_dr.delta"
_BASE_KEY = b"incorta_dr.base"
_GAIN_KEY = b"incorta_dr.gain"


class _Side(IntEnum):
    OLD = 0
    NEW = 1
    FOLDER = 2


_OLD, _NEW, _FOLDER = int(_Side.OLD), int(_Side.NEW), int(_Side.FOLDER)
_change_of: Callable[[Iterable[object]], Change] = partial(tuple.__new__, Change)


@dataclass(frozen=True, slots=True)
class Gain:
    """How much more a delta leads to than it leads from; negative for less.

    :param bytes: of files.
    """

    entries: int
    files: int
    bytes: int


class DeltaWriter(ParquetDraft):
    """Writes a delta: it appears, whole and on disk, when the ``with`` block ends without an error.

    :param base: the id of the point that it leads from; None when there is none.
    :param holders_in: a manifest of either end, in which the unchanged folders that hold a change are looked up when
        all changes are written; None to leave them out. Memory follows their number.
    :param beside: takes the rows that the delta leads to, where it leads from nothing: they are those of the manifest.
    """

    def __init__(
        self,
        path: Path,
        base: str | None,
        holders_in: Path | None = None,
        *,
        beside: ManifestWriter | None = None,
    ) -> None:
        super().__init__(path, _schema())
        self._base = base
        self._holders_in = holders_in
        self._holders: set[bytes] = set()
        self._changed: set[bytes] = set()
        self._manifest = beside
        self._entries: list[Entry] = []
        self._sides: list[int] = []
        self._gain = [0, 0, 0]

    def _finish(self) -> Mapping[bytes, Any]:
        if self._holders_in is not None:
            found = select(self._holders_in, sorted(self._holders - self._changed))
            self.add_folders(entry for entry in found if entry.kind is Kind.DIR)
        self._flush()
        return {_BASE_KEY: self._base, _GAIN_KEY: self._gain}

    def add(self, change: Change) -> None:
        """Write one change; each path must sort after the one before."""
        if change.old is not None:
            self._add(change.old, _Side.OLD)
            self._count(change.old, -1)
        if change.new is not None:
            self._add(change.new, _Side.NEW)
            self._count(change.new, 1)
        if self._holders_in is not None:
            self._hold(change)
        if len(self._entries) >= GROUP_ROWS:
            self._flush()

    def add_files(self, files: Sequence[Entry]) -> None:
        """Write files at whose paths there was nothing, many at once; their paths sort after the one before."""
        self._entries += files
        self._sides += repeat(_NEW, len(files))
        gain = self._gain
        gain[0] += len(files)
        gain[1] += len(files)
        gain[2] += sum(file.size for file in files)
        if self._holders_in is not None:
            self._holders.update(parent_of(file.path) for file in files)
        if len(self._entries) >= GROUP_ROWS:
            self._flush()

    def extend(self, changes: Iterable[Change]) -> None:
        """Write many changes."""
        for change in changes:
            self.add(change)

    def add_folders(self, folders: Iterable[Entry]) -> None:
        """Write the folders that hold a changed path, after all changes."""
        for folder in folders:
            self._add(folder, _Side.FOLDER)

    def _hold(self, change: Change) -> None:
        self._holders.add(parent_of(path_of(change)))
        if change.new is not None and change.new.kind is Kind.DIR:
            self._changed.add(change.new.path)

    def _add(self, entry: Entry, side: _Side) -> None:
        self._entries.append(entry)
        self._sides.append(side)

    def _count(self, entry: Entry, sign: int) -> None:
        gain = self._gain
        gain[0] += sign
        if entry.kind is Kind.FILE:
            gain[1] += sign
            gain[2] += sign * entry.size

    def _flush(self) -> None:
        if self._entries:
            columns = [*to_columns(self._entries), integers(self._sides, pa.uint8())]
            rows = pa.Table.from_arrays(columns, schema=_schema())
            self._put(rows)
            if self._manifest is not None:
                self._manifest.add_group(rows.drop_columns(["side"]))
            self._entries.clear()
            self._sides.clear()


def delta_base(path: Path) -> str | None:
    """Return the id of the point that the delta leads from; None when it leads from nothing."""
    with opened(path, "delta", _FORMAT_KEY, FORMAT) as file:
        base: str | None = json.loads(file.metadata.metadata[_BASE_KEY])
        return base


def delta_gain(path: Path) -> Gain:
    """Return how much more the delta leads to than it leads from, without reading its changes."""
    with opened(path, "delta", _FORMAT_KEY, FORMAT) as file:
        return Gain(*json.loads(file.metadata.metadata[_GAIN_KEY]))


def has_changes(path: Path) -> bool:
    """Tell whether a delta leads anywhere, without reading its changes."""
    with opened(path, "delta", _FORMAT_KEY, FORMAT) as file:
        if not file.num_row_groups:
            return False
        first = file.read_row_group(0, columns=["side"], use_threads=False)["side"][0].as_py()
        return bool(first != _FOLDER)


def read_delta(path: Path) -> Iterator[Change]:
    """Yield the changes in path order."""
    for group in _groups(path):
        yield from _changes_of(group)


def _changes_of(group: pa.Table) -> Iterator[Change]:
    """Yield the changes of a group of rows; none is cut in two by its end."""
    sides = raw_bytes(group["side"].combine_chunks())
    entries = to_entries(group)
    if sides.count(_NEW) == len(sides):
        yield from map(_change_of, zip(repeat(ChangeKind.ADDED), repeat(None), entries, strict=False))
        return
    old: Entry | None = None
    for entry, side in zip(entries, sides, strict=True):
        if side == _NEW:
            if old is not None and old.path != entry.path:
                yield Change(ChangeKind.REMOVED, old, None)
                old = None
            yield change_between(old, entry)
            old = None
        else:
            if old is not None:
                yield Change(ChangeKind.REMOVED, old, None)
            old = entry if side == _OLD else None
    if old is not None:
        yield Change(ChangeKind.REMOVED, old, None)


def read_brought(path: Path) -> Iterator[tuple[list[Entry], list[Entry | None]]]:
    """Yield the files that are new or changed, as they became, in path order, many at once.

    The second list holds what was at their paths before; it is empty where nothing was at any.
    """
    for group in _groups(path):
        codes, sides = (raw_bytes(group[name].combine_chunks()) for name in ("kind", "side"))
        if sides.count(_NEW) == len(sides):
            yield list(compress(to_entries(group), map(FILE_CODE.__eq__, codes))), []
            continue
        former: Entry | None = None
        files: list[Entry] = []
        formers: list[Entry | None] = []
        for entry, code, side in zip(to_entries(group), codes, sides, strict=True):
            if side == _NEW and code == FILE_CODE:
                files.append(entry)
                formers.append(former if former is not None and former.path == entry.path else None)
            former = entry if side == _OLD else None
        yield files, formers


def read_folders(path: Path) -> Iterator[Entry]:
    """Yield the folders that directly hold a changed path and are the same at both points, in path order."""
    for group in _groups(path):
        sides = raw_bytes(group["side"].combine_chunks())
        first = sides.find(_FOLDER)
        yield from to_entries(group.slice(first)) if first >= 0 else ()


def end_folders(path: Path, *, back: bool) -> Iterator[Entry]:
    """Yield the folders that changed or directly hold a changed path, as they are at the end; in no order.

    :param back: the delta is read the other way round, and its end is what it leads from.
    """
    wanted = {_FOLDER, int(_Side.OLD) if back else _NEW}
    for group in _groups(path):
        codes, sides = (raw_bytes(group[name].combine_chunks()) for name in ("kind", "side"))
        rows = [row for row, code in enumerate(codes) if code == DIR_CODE and sides[row] in wanted]
        yield from to_entries(group.take(integers(rows, pa.int64()))) if rows else ()


def changed_folders(path: Path) -> Iterator[bytes]:
    """Yield the paths of the folders that are new or changed, in path order."""
    for group in _groups(path):
        codes, sides = (raw_bytes(group[name].combine_chunks()) for name in ("kind", "side"))
        row = codes.find(DIR_CODE)
        while row >= 0:
            if sides[row] == _Side.NEW:
                yield group["path"][row].as_py()
            row = codes.find(DIR_CODE, row + 1)


def change_between(old: Entry | None, new: Entry | None) -> Change:
    """Return what leads from one entry of a path to the other; one of them is not None."""
    if old is None:
        return Change(ChangeKind.ADDED, None, new)
    return Change(ChangeKind.REMOVED if new is None else ChangeKind.CHANGED, old, new)


def path_of(change: Change) -> bytes:
    """Return the path that changed."""
    entry = change.new or change.old
    return entry.path if entry is not None else b""


def delta_cuts(path: Path, groups: int) -> list[bytes]:
    """Return the first path of each run of that many groups of changes, but of the first one."""
    with opened(path, "delta", _FORMAT_KEY, FORMAT) as file:
        return first_paths(file)[groups::groups]


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


@cache
def _schema() -> pa.Schema:
    return pa.schema([*fields(), pa.field("side", pa.uint8(), nullable=False)], metadata={_FORMAT_KEY: FORMAT})


def _groups(path: Path) -> Iterator[pa.Table]:
    with opened(path, "delta", _FORMAT_KEY, FORMAT) as file:
        for number in range(file.num_row_groups):
            yield file.read_row_group(number, use_threads=False)
