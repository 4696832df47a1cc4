"""Parquet files of a table version: what they hold, and which commit they belong to.

The one module of the simulator that imports pyarrow: processes which need no Parquet start faster without it. Files are
read by :class:`pyarrow.parquet.ParquetFile`: ``read_table`` imports pandas on its way wherever that is installed, which
takes as long as all else of a service's start, and ten times that while nobody has compiled pandas yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

COMMIT_COLUMN = "_commit"
_ENGINE_COLUMNS = 2


def encode_parquet(table: pa.Table, commit: int) -> bytes:
    """Return the bytes of a Parquet file whose rows all carry the commit."""
    marked = table.append_column(COMMIT_COLUMN, pa.repeat(pa.scalar(commit, pa.int64()), table.num_rows))
    sink = pa.BufferOutputStream()
    pq.write_table(marked, sink, compression="snappy")
    return bytes(sink.getvalue())


def commits_in(path: Path) -> set[int]:
    """Return the commits that the rows of a file carry.

    :raises OSError: the file is no whole Parquet file (pyarrow's own error is one).
    """
    try:
        column = _read(path, [COMMIT_COLUMN]).column(0)
    except pa.ArrowInvalid as error:
        raise OSError(str(error)) from None
    return set(column.unique().to_pylist())


def row_count(paths: Iterable[Path]) -> int:
    """Return how many rows the files have, as their footers say.

    :raises OSError: a file is missing or no whole Parquet file.
    """
    try:
        return sum(pq.read_metadata(path).num_rows for path in paths)
    except pa.ArrowInvalid as error:
        raise OSError(str(error)) from None


def engine_payload(tables: Iterable[pa.Table]) -> bytes:
    """Return what the engine keeps of a table: here its first columns, compressed."""
    columns = pa.concat_tables([table.select(range(_ENGINE_COLUMNS)) for table in tables])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, columns.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
        stream.write_table(columns)
    return bytes(sink.getvalue())


def read_tables(paths: Iterable[Path]) -> list[pa.Table]:
    """Read Parquet files whole.

    :raises OSError: a file is missing or no whole Parquet file.
    """
    try:
        return [_read(path) for path in paths]
    except pa.ArrowInvalid as error:
        raise OSError(str(error)) from None


def _read(path: Path, columns: list[str] | None = None) -> pa.Table:
    with pq.ParquetFile(path) as file:
        return file.read(columns)
