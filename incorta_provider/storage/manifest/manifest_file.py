"""A manifest as a Parquet file: sorted, compressed, read and written in groups of rows.

A group is what is held in memory at once. Groups that an edit does not touch are passed on as they are, without one
Python object a row. About 35 bytes an entry on disk.

:raises IntegrityError: the file is not a manifest of this format, or entries are not in path order.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import asdict, dataclass
from functools import cache
from heapq import nlargest
from itertools import islice
from operator import lt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incorta_provider.dr.manifest import FILE_CODE, Entry, shown
from incorta_provider.exceptions import IntegrityError
from incorta_provider.late import late
from incorta_provider.storage.copying.read_ahead import read_ahead
from incorta_provider.storage.flow.throttle import alive
from incorta_provider.storage.manifest.arrow_columns import raw_bytes
from incorta_provider.storage.manifest.columns import fields, to_columns, to_entries
from incorta_provider.storage.manifest.cursor import Cursor, Edit, as_edits, layered
from incorta_provider.storage.manifest.parquet_draft import ParquetDraft, opened, reading

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
else:
    pa = late("pyarrow")
    pq = late("pyarrow.parquet")

FORMAT = "2"
GROUP_ROWS = 16_384

_AT_ONCE = 512
_FEW = 32
"""Up to one row in this many is looked up by itself; for more the whole group is taken apart."""

_WHAT = "manifest"
_FORMAT_KEY = b"incorta_dr.manifest"
_TOTALS_KEY = b"incorta_dr.totals"


@dataclass(frozen=True, slots=True)
class Totals:
    """How much a manifest holds.

    :param entries: files, folders and links.
    :param bytes: the sizes of all files.
    """

    entries: int
    files: int
    bytes: int

    def plus(self, rows: pa.Table) -> Totals:
        """Return the totals with more rows."""
        files, size = 0, 0
        for codes in rows["kind"].chunks:
            files += raw_bytes(codes).count(FILE_CODE)
        for sizes in rows["size"].chunks:
            size += sum(memoryview(raw_bytes(sizes)).cast("q"))
        return Totals(self.entries + rows.num_rows, self.files + files, self.bytes + size)


class ManifestWriter(ParquetDraft):
    """Writes a manifest: it appears, whole and on disk, when the ``with`` block ends without an error.

    :ivar totals: what was written, once the block has ended.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, _schema())
        self.totals = Totals(0, 0, 0)
        self._entries: list[Entry] = []
        self._parts: list[pa.Table] = []
        self._rows = 0
        self._last = b""

    def _finish(self) -> Mapping[bytes, Any]:
        self._flush()
        return {_TOTALS_KEY: asdict(self.totals)}

    def add(self, entry: Entry) -> None:
        """Write one entry; each path must sort after the one before."""
        if entry.path <= self._last:
            raise self._out_of_order(entry.path)
        self._last = entry.path
        self._entries.append(entry)
        if len(self._entries) >= GROUP_ROWS:
            self._flush()

    def extend(self, entries: Iterable[Entry]) -> None:
        """Write many entries."""
        ahead = iter(entries)
        while some := list(islice(ahead, _AT_ONCE)):
            paths = [self._last, *(entry.path for entry in some)]
            if not all(map(lt, paths, paths[1:])):
                at = next(at for at in range(len(some)) if paths[at] >= paths[at + 1])
                self._last = paths[at]
                raise self._out_of_order(paths[at + 1])
            self._last = paths[-1]
            self._entries += some
            if len(self._entries) >= GROUP_ROWS:
                self._flush()

    def add_group(self, group: pa.Table) -> None:
        """Pass on rows of another manifest.

        A group stays a group, but edits neither make one grow from manifest to manifest, nor leave small ones behind.
        """
        if not group.num_rows:
            return
        first = group["path"][0].as_py()
        if first <= self._last:
            raise self._out_of_order(first)
        self._gather()
        self._parts.append(group)
        self._rows += group.num_rows
        self._last = _last_path(group)
        if self._rows >= GROUP_ROWS // 2:
            self._flush()

    def _gather(self) -> None:
        if self._entries:
            self._parts.append(_group(self._entries))
            self._rows += len(self._entries)
            self._entries.clear()

    def _flush(self) -> None:
        self._gather()
        if self._parts:
            self._write(pa.concat_tables(self._parts).combine_chunks())
            self._parts.clear()
            self._rows = 0

    def _write(self, group: pa.Table) -> None:
        while group.num_rows:
            rows = group.slice(0, GROUP_ROWS if group.num_rows > GROUP_ROWS * 3 // 2 else None)
            self._put(rows)
            self.totals = self.totals.plus(rows)
            group = group.slice(rows.num_rows)

    def _out_of_order(self, path: bytes) -> IntegrityError:
        return IntegrityError(
            f"{shown(path)} does not sort after {shown(self._last)}",
            where=str(self.path),
            fix="The list that was given is not in path order.",
        )


def read_manifest(path: Path) -> Iterator[Entry]:
    """Yield the entries in path order."""
    for group in _groups(path):
        yield from to_entries(group)


def read_totals(path: Path) -> Totals:
    """Return how much the manifest holds, without reading its entries."""
    with open_manifest(path) as file:
        return Totals(**json.loads(file.metadata.metadata[_TOTALS_KEY]))


def largest_sizes(path: Path, count: int) -> list[int]:
    """Return the largest sizes of entries, at most so many; only that column is read."""
    largest: list[int] = []
    with open_manifest(path) as file:
        for number in range(file.num_row_groups):
            sizes = read_group(file, number, ["size"])["size"].to_pylist()
            largest = nlargest(count, (*largest, *sizes))
    return largest


def differing(one: Path, other: Path) -> tuple[Iterator[Entry], Iterator[Entry]]:
    """Yield the entries of two manifests, without groups that both have: what :func:`edit` passed on need not be read.

    What differs between the two is the same with such groups as without them.
    """
    with open_manifest(one) as left, open_manifest(other) as right:
        places = {_first_path(right, number): number for number in range(right.num_row_groups)}
        shared = {}
        for number in range(left.num_row_groups):
            place = places.get(_first_path(left, number))
            if place is not None and read_group(left, number).equals(read_group(right, place)):
                shared[number] = place
    return _without(one, shared.keys()), _without(other, shared.values())


def select(path: Path, wanted: Iterable[bytes]) -> Iterator[Entry]:
    """Yield the entries of the ``wanted`` paths, which are sorted, as far as the manifest has them.

    Groups without such a path are not read.
    """
    ahead = Cursor((name, None) for name in wanted)
    with open_manifest(path) as file:
        for number in range(file.num_row_groups):
            is_last = number + 1 == file.num_row_groups
            if is_last or ahead.reaches(_first_path(file, number + 1)):
                group = read_group(file, number)
                yield from _chosen(group, [name for name, _ in ahead.until(_last_path(group))])


def edit(source: Path | None, target: Path, edits: Iterable[Edit]) -> Totals:
    """Write ``source`` to ``target`` with edits, and return what the new manifest holds.

    Rows between two edits are passed on as they are; the next group is read while one is written.

    :param source: None for an empty one.
    :param edits: sorted by path. ``target`` may be ``source``: it is replaced when the new file is whole.
    """
    ahead = Cursor(edits)
    with ManifestWriter(target) as writer, closing(read_ahead(_groups(source))) as groups:
        for group in groups:
            last = _last_path(group)
            if ahead.reaches(last):
                writer.add_group(pa.concat_tables(_edited(group, list(ahead.until(last)))))
            else:
                writer.add_group(group)
        writer.extend(entry for _, entry in ahead.rest() if entry is not None)
    return writer.totals


def _chosen(group: pa.Table, wanted: Sequence[bytes]) -> Iterator[Entry]:
    if len(wanted) > group.num_rows // _FEW:
        names = frozenset(wanted)
        yield from (entry for entry in to_entries(group) if entry.path in names)
        return
    paths = group["path"]
    row = 0
    for name in wanted:
        row = _row_at(paths, name, row)
        if row < group.num_rows and paths[row].as_py() == name:
            yield from to_entries(group.slice(row, 1))


def _edited(group: pa.Table, edits: Sequence[Edit]) -> Iterator[pa.Table]:
    """Yield a group with edits, in parts: rows that stay, and rows that are new."""
    if len(edits) > group.num_rows // _FEW:
        yield _group(list(_merged(to_entries(group), iter(edits))))
        return
    paths, new = group["path"], _group([entry for _, entry in edits if entry is not None])
    begin, given, met = 0, 0, 0
    for path, entry in edits:
        row = _row_at(paths, path, begin)
        if row > begin:
            yield new.slice(given, met - given)
            yield group.slice(begin, row - begin)
            given = met
        met += entry is not None
        begin = row + (row < group.num_rows and paths[row].as_py() == path)
    yield new.slice(given)
    yield group.slice(begin)


def _row_at(paths: pa.ChunkedArray, path: bytes, first: int) -> int:
    """Return the first row from ``first`` on whose path is not before ``path``."""
    return bisect_left(range(len(paths)), path, lo=first, key=lambda row: paths[row].as_py())


def _merged(entries: Iterator[Entry], edits: Iterator[Edit]) -> Iterator[Entry]:
    return (entry for _, entry in layered(as_edits(entries), edits) if entry is not None)


@cache
def _schema() -> pa.Schema:
    return pa.schema(fields(), metadata={_FORMAT_KEY: FORMAT})


def _group(entries: list[Entry]) -> pa.Table:
    return pa.Table.from_arrays(to_columns(entries), schema=_schema())


def _without(path: Path, left_out: Collection[int]) -> Iterator[Entry]:
    for group in _groups(path, left_out):
        yield from to_entries(group)


def _groups(path: Path | None, left_out: Collection[int] = ()) -> Generator[pa.Table, None, None]:
    if path is None:
        return
    with open_manifest(path) as file:
        for number in range(file.num_row_groups):
            if number not in left_out:
                yield read_group(file, number)


def read_group(file: pq.ParquetFile, number: int, columns: Sequence[str] | None = None) -> pa.Table:
    """Read one group of rows.

    :param columns: their names; None for all.
    """
    alive()
    return file.read_row_group(number, columns=columns, use_threads=False)


def _last_path(group: pa.Table) -> bytes:
    last: bytes = group["path"][-1].as_py()
    return last


def first_paths(file: pq.ParquetFile) -> list[bytes]:
    """Return the first path of each group of rows."""
    return [_first_path(file, number) for number in range(file.num_row_groups)]


def _first_path(file: pq.ParquetFile, number: int) -> bytes:
    first: bytes = file.metadata.row_group(number).column(0).statistics.min
    return first


def open_manifest(path: Path) -> AbstractContextManager[pq.ParquetFile]:
    """Hold a manifest open; the block may only read it."""
    return opened(path, _WHAT, _FORMAT_KEY, FORMAT)


def reading_manifest(path: Path) -> AbstractContextManager[None]:
    """Frame what reads from a manifest that is open."""
    return reading(path, _WHAT)
