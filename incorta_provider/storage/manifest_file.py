"""A manifest as a Parquet file: sorted, compressed, read and written in groups of rows.

A group is what is held in memory at once. Groups that an edit does not touch are passed on as they are, without one
Python object a row. About 35 bytes an entry on disk.

:raises IntegrityError: the file is no manifest of this format, or entries are not in path order.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from incorta_provider.dr.manifest import FILE_CODE, Entry, shown
from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.cursor import Cursor, Edit
from incorta_provider.storage.manifest_columns import FIELDS, to_columns, to_entries
from incorta_provider.storage.parquet_draft import ParquetDraft, opened

FORMAT = "2"
GROUP_ROWS = 16_384

_FORMAT_KEY = b"incorta_dr.manifest"
_TOTALS_KEY = b"incorta_dr.totals"
_SCHEMA = pa.schema(FIELDS, metadata={_FORMAT_KEY: FORMAT})


@dataclass(frozen=True, slots=True)
class Totals:
    """How much a manifest holds.

    :param entries: files, folders and links.
    :param bytes: the sizes of all files.
    """

    entries: int
    files: int
    bytes: int


class ManifestWriter:
    """Writes a manifest: it appears, whole and on disk, when the ``with`` block ends without an error.

    :ivar totals: what was written, once the block has ended.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.totals = Totals(0, 0, 0)
        self._entries: list[Entry] = []
        self._last = b""

    def __enter__(self) -> Self:
        self._draft = ParquetDraft(self.path, _SCHEMA)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._draft.discard()
            return
        self._flush()
        self._draft.publish({_TOTALS_KEY: asdict(self.totals)})

    def add(self, entry: Entry) -> None:
        """Write one entry; each path must sort behind the one before."""
        if entry.path <= self._last:
            raise self._out_of_order(entry.path)
        self._last = entry.path
        self._entries.append(entry)
        if len(self._entries) >= GROUP_ROWS:
            self._flush()

    def extend(self, entries: Iterable[Entry]) -> None:
        """Write many entries."""
        for entry in entries:
            self.add(entry)

    def add_group(self, group: pa.Table) -> None:
        """Pass on a group of another manifest."""
        first = group["path"][0].as_py()
        if first <= self._last:
            raise self._out_of_order(first)
        self._flush()
        self._write(group)
        self._last = group["path"][-1].as_py()

    def _flush(self) -> None:
        if self._entries:
            self._write(_group(self._entries))
            self._entries.clear()

    def _write(self, group: pa.Table) -> None:
        self._draft.file.write_table(group)
        files = group["kind"].to_pylist().count(FILE_CODE)
        size = sum(group["size"].to_pylist())
        self.totals = Totals(self.totals.entries + group.num_rows, self.totals.files + files, self.totals.bytes + size)

    def _out_of_order(self, path: bytes) -> IntegrityError:
        return IntegrityError(
            f"{shown(path)} does not sort behind {shown(self._last)}",
            where=str(self.path),
            fix="The list that was given is not in path order.",
        )


def read_manifest(path: Path) -> Iterator[Entry]:
    """Yield the entries in path order."""
    for group in _groups(path):
        yield from _entries(group)


def read_totals(path: Path) -> Totals:
    """Return how much the manifest holds, without reading its entries."""
    with _opened(path) as file:
        return Totals(**json.loads(file.metadata.metadata[_TOTALS_KEY]))


def differing(one: Path, other: Path) -> tuple[Iterator[Entry], Iterator[Entry]]:
    """Yield the entries of two manifests, without groups that both have: what :func:`edit` passed on need not be read.

    What differs between the two is the same with such groups as without them.
    """
    with _opened(one) as left, _opened(other) as right:
        places = {_first_path(right, number): number for number in range(right.num_row_groups)}
        shared = {}
        for number in range(left.num_row_groups):
            place = places.get(_first_path(left, number))
            if place is not None and _read_group(left, number).equals(_read_group(right, place)):
                shared[number] = place
    return _without(one, shared.keys()), _without(other, shared.values())


def select(path: Path, wanted: Iterable[bytes]) -> Iterator[Entry]:
    """Yield the entries of the ``wanted`` paths, which are sorted, as far as the manifest has them.

    Groups without such a path are not read.
    """
    ahead = Cursor((name, None) for name in wanted)
    with _opened(path) as file:
        for number in range(file.num_row_groups):
            is_last = number + 1 == file.num_row_groups
            if is_last or ahead.reaches(_first_path(file, number + 1)):
                group = _read_group(file, number)
                yield from _chosen(_entries(group), ahead.until(group["path"][-1].as_py()))


def edit(source: Path | None, target: Path, edits: Iterable[Edit]) -> Totals:
    """Write ``source`` to ``target`` with edits, and return what the new manifest holds.

    :param source: None for an empty one.
    :param edits: sorted by path. ``target`` may be ``source``: it is replaced when the new file is whole.
    """
    ahead = Cursor(edits)
    with ManifestWriter(target) as writer:
        for group in _groups(source) if source else ():
            last = group["path"][-1].as_py()
            if ahead.reaches(last):
                writer.extend(_merged(_entries(group), ahead.until(last)))
            else:
                writer.add_group(group)
        writer.extend(entry for _, entry in ahead.rest() if entry is not None)
    return writer.totals


def _chosen(entries: Iterator[Entry], wanted: Iterator[Edit]) -> Iterator[Entry]:
    want = next(wanted, None)
    for entry in entries:
        while want is not None and want[0] < entry.path:
            want = next(wanted, None)
        if want is None:
            return
        if want[0] == entry.path:
            yield entry


def _merged(entries: Iterator[Entry], edits: Iterator[Edit]) -> Iterator[Entry]:
    edit = next(edits, None)
    for entry in entries:
        while edit is not None and edit[0] < entry.path:
            if edit[1] is not None:
                yield edit[1]
            edit = next(edits, None)
        if edit is None or edit[0] != entry.path:
            yield entry
        elif edit[1] is not None:
            yield edit[1]
            edit = next(edits, None)
        else:
            edit = next(edits, None)


def _group(entries: list[Entry]) -> pa.Table:
    return pa.Table.from_arrays(to_columns(entries), schema=_SCHEMA)


def _entries(group: pa.Table) -> Iterator[Entry]:
    return to_entries(group)


def _without(path: Path, left_out: Collection[int]) -> Iterator[Entry]:
    for group in _groups(path, left_out):
        yield from _entries(group)


def _groups(path: Path, left_out: Collection[int] = ()) -> Iterator[pa.Table]:
    with _opened(path) as file:
        for number in range(file.num_row_groups):
            if number not in left_out:
                yield _read_group(file, number)


def _read_group(file: pq.ParquetFile, number: int) -> pa.Table:
    return file.read_row_group(number, use_threads=False)


def _first_path(file: pq.ParquetFile, number: int) -> bytes:
    first: bytes = file.metadata.row_group(number).column(0).statistics.min
    return first


def _opened(path: Path) -> AbstractContextManager[pq.ParquetFile]:
    return opened(path, "manifest", _FORMAT_KEY, FORMAT)
