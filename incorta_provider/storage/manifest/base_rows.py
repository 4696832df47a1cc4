"""The base manifest, read in stretches of paths: columns for those who compare, entries for what is written down."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from incorta_provider.dr.manifest import LINK_CODE, Entry
from incorta_provider.late import late
from incorta_provider.storage.manifest.arrow_columns import raw_bytes, raw_strings
from incorta_provider.storage.manifest.columns import NAMES, to_entries
from incorta_provider.storage.manifest.manifest_file import first_paths, open_manifest, read_group, reading_manifest
from incorta_provider.storage.survey.stretch import Columns

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
else:
    pa = late("pyarrow")
    pq = late("pyarrow.parquet")

_FEW = 32
"""Up to one row in this many is read by itself."""

_COMPARED = ["path", "kind", "size", "mtime_ns", "mode"]
_REST = [name for name in NAMES if name not in _COMPARED]


class BaseRows:
    """A manifest that stays open, while others are written; an empty one for None.

    :raises IntegrityError: it is damaged.
    :raises TransientError: it cannot be read right now.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path or Path()
        self._opening = open_manifest(path) if path else None
        self._file = None
        self._firsts: Sequence[bytes] = ()

    def __enter__(self) -> Self:
        if self._opening is not None:
            self._file = self._opening.__enter__()
            self._firsts = first_paths(self._file)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opening is not None:
            self._opening.__exit__(None, None, None)  # what failed in the block is not the fault of the manifest

    def cuts(self, groups: int) -> Sequence[bytes]:
        """Return the first path of each run of that many groups of rows, but of the first one."""
        return self._firsts[groups::groups]

    def between(self, begin: bytes, end: bytes | None) -> SomeRows:
        """Return the rows that may lie in a stretch; whole groups."""
        first = max(bisect_right(self._firsts, begin) - 1, 0)
        last = len(self._firsts) if end is None else bisect_left(self._firsts, end)
        if self._file is None or first >= last:
            return SomeRows(self._path, None, range(0))
        return SomeRows(self._path, self._file, range(first, last))


class SomeRows:
    """Some groups of a manifest's rows, which stays open; what nobody asks for is not read."""

    def __init__(self, path: Path, file: pq.ParquetFile | None, groups: range) -> None:
        self._path = path
        self._file = file
        self._groups = groups
        self._compared: pa.Table | None = None

    def columns(self) -> Columns:
        """Return what a comparison with a listing needs."""
        if self._file is None:
            return Columns()
        table = self._compared = self._read(_COMPARED)
        codes, sizes, times, modes = (raw_bytes(table[name].chunk(0)) for name in _COMPARED[1:])
        return Columns(*raw_strings(table["path"].chunk(0)), codes, sizes, times, modes, self._links(codes))

    def entries(self, rows: Collection[int]) -> Mapping[int, Entry]:
        """Return some entries, whole, by their rows."""
        if not rows:
            return {}
        table = self._whole()
        if len(rows) > table.num_rows // _FEW:
            return dict(enumerate(to_entries(table)))
        return {row: next(to_entries(table.slice(row, 1))) for row in rows}

    def _whole(self) -> pa.Table:
        """Return all columns; those that were compared are there already."""
        table = self._compared if self._compared is not None else self._read(_COMPARED)
        if table.num_columns < len(NAMES):
            rest = self._read(_REST)
            for field in rest.schema:
                table = table.append_column(field, rest[field.name])
        self._compared = table
        return table

    def _read(self, columns: Sequence[str]) -> pa.Table:
        with reading_manifest(self._path):
            groups = [read_group(self._file, number, columns) for number in self._groups]
        return pa.concat_tables(groups).combine_chunks()

    def _links(self, codes: bytes) -> dict[int, bytes]:
        row = codes.find(LINK_CODE)
        targets = self._read(["link_target"])["link_target"] if row >= 0 else ()
        links = {}
        while row >= 0:
            links[row] = targets[row].as_py()
            row = codes.find(LINK_CODE, row + 1)
        return links
