"""Arrow columns from and to Python, by their buffers.

``pyarrow.array`` would do the same in one call, but imports pandas on its way wherever pandas is installed: half a
second and 50 MB in every task.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate, repeat
from typing import TYPE_CHECKING

from incorta_provider.late import late

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = late("pyarrow")


_INTEGER_CODES = {"uint8": "B", "int16": "h", "int64": "q"}


def integers(values: Sequence[int], kind: pa.DataType) -> pa.Array:
    """Return a column of integers, none of them missing."""
    data = array(_INTEGER_CODES[str(kind)], values)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(data)])


def strings(values: Sequence[bytes | None]) -> pa.Array:
    """Return a column of byte strings of any length; None is missing."""
    if values and values.count(None) == len(values):
        return pa.nulls(len(values), pa.binary())
    parts = [value or b"" for value in values]
    offsets = array("i", accumulate(map(len, parts), initial=0))
    buffers = [_validity(values), pa.py_buffer(offsets), pa.py_buffer(b"".join(parts))]
    return pa.Array.from_buffers(pa.binary(), len(values), buffers)


def digests(values: Sequence[bytes | None], size: int) -> pa.Array:
    """Return a column of byte strings of one ``size``; None is missing."""
    data = b"".join(value or bytes(size) for value in values)
    return pa.Array.from_buffers(pa.binary(size), len(values), [_validity(values), pa.py_buffer(data)])


def raw_bytes(column: pa.Array) -> bytes:
    """Return the values of a column of integers, none of them missing, as the machine holds them."""
    width = column.type.bit_width // 8
    data = column.buffers()[1]
    return bytes(data.slice(column.offset * width, len(column) * width)) if data is not None else b""


def raw_strings(column: pa.Array) -> tuple[bytes, bytes]:
    """Return the offsets, of 32 bits each and one more than there are values, and the text of a column of strings."""
    _, offsets, text = column.buffers()
    kept = offsets.slice(column.offset * 4, (len(column) + 1) * 4)
    return bytes(kept), bytes(text) if text is not None else b""


def fixed(column: pa.ChunkedArray) -> list[bytes | None]:
    """Return the values of a column of byte strings of one size; pyarrow makes a scalar of each first."""
    values: list[bytes | None] = []
    for chunk in column.chunks:
        if chunk.null_count == len(chunk):
            values += repeat(None, len(chunk))
            continue
        width = chunk.type.byte_width
        data = bytes(chunk.buffers()[1].slice(chunk.offset * width, len(chunk) * width))
        parts = [data[at : at + width] for at in range(0, len(data), width)]
        there = chunk.is_valid().to_pylist() if chunk.null_count else repeat(True)
        values += [part if is_there else None for part, is_there in zip(parts, there, strict=False)]
    return values


def _validity(values: Sequence[bytes | None]) -> pa.Buffer | None:
    """Return one bit for each value, the first one lowest; None when no value is missing."""
    if None not in values:
        return None
    bits = "".join("0" if value is None else "1" for value in reversed(values))
    return pa.py_buffer(int(bits, 2).to_bytes((len(values) + 7) // 8, "little"))
