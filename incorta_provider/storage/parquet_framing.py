"""Tell whether a Parquet file is whole by its frame: magic bytes at both ends, and a footer where its length says.

A file that is still being written has no footer; one that lost bytes has its footer at another place. The frame is
checked without a Parquet library, because it is done for each new file. Only a footer that begins or ends in an unusual
way is given to the library: a writer that orders its fields differently must not lose its files.
"""

from __future__ import annotations

import io
import os
from typing import BinaryIO

_MAGIC = b"PAR1"
_MAGIC_ENCRYPTED = b"PARE"
_TAIL = 8
_MAGICS = frozenset({_MAGIC, _MAGIC_ENCRYPTED})
_FOOTER_BEGINS = b"\x15"
"""How a plain footer begins, in Thrift's compact protocol: field 1 (the format's version), a 32-bit integer."""
_FOOTER_ENDS = b"\x00"


def is_parquet(path: bytes) -> bool:
    """Tell by its name whether a file should be Parquet."""
    return path.lower().endswith(b".parquet")


def framing_fault(handle: int) -> str | None:
    """Return what is wrong with an open Parquet file; None when it is whole."""
    return framing_fault_of(_Opened(handle))


class _Opened:
    """The parts of an open file, as slices of its content."""

    def __init__(self, handle: int) -> None:
        self.handle = handle

    def __len__(self) -> int:
        return os.fstat(self.handle).st_size

    def __getitem__(self, part: slice) -> bytes:
        return os.pread(self.handle, part.stop - part.start, part.start)


def framing_fault_of(content: bytes | _Opened) -> str | None:
    """Return what is wrong with a Parquet file, by its whole content."""
    size = len(content)
    if size < len(_MAGIC) + _TAIL:
        return f"{size} bytes are too few"
    head, tail = content[0 : len(_MAGIC)], content[size - _TAIL : size]
    if head not in _MAGICS or tail[4:] != head:
        return "the magic bytes are not at both ends"
    length = int.from_bytes(tail[:4], "little")
    start = size - _TAIL - length
    if length == 0 or start < len(_MAGIC):
        return f"the footer's length, {length}, is wrong"
    last = size - _TAIL - 1
    if head == _MAGIC_ENCRYPTED or _is_footer(content[start : start + 1], content[last : last + 1]):
        return None
    return None if _is_readable(content) else f"there is no footer at its place, {start}"


def _is_footer(first: bytes, last: bytes) -> bool:
    return first == _FOOTER_BEGINS and last == _FOOTER_ENDS


def _is_readable(content: bytes | _Opened) -> bool:
    import pyarrow as pa  # noqa: PLC0415 - rarely needed, and heavy in a helper process
    import pyarrow.parquet as pq  # noqa: PLC0415 - as above

    try:
        with _as_file(content) as file:
            pq.read_metadata(file)
    except (pa.ArrowException, OSError):
        return False
    return True


def _as_file(content: bytes | _Opened) -> BinaryIO:
    if isinstance(content, bytes):
        return io.BytesIO(content)
    file = os.fdopen(os.dup(content.handle), "rb")
    file.seek(0)
    return file
