"""Tell whether a Parquet file is whole by its frame: magic bytes at both ends, and a footer where its length says.

A file that is still being written has no footer; one that lost bytes has its footer at another place. The frame is
checked without a Parquet library, because it is done for each new file. Only a footer that begins or ends in an unusual
way is given to the library: a writer that orders its fields differently must not lose its files.
"""

from __future__ import annotations

import os

_MAGIC = b"PAR1"
_MAGIC_ENCRYPTED = b"PARE"
_TAIL = 8
_VERSION_FIELD = 0x15
"""How a plain footer begins, in Thrift's compact protocol: field 1 (the format's version), a 32-bit integer."""
_STOP = 0x00


def is_parquet(path: bytes) -> bool:
    """Tell by its name whether a file should be Parquet."""
    return path.lower().endswith(b".parquet")


def framing_fault(handle: int) -> str | None:
    """Return what is wrong with the open Parquet file; None when it is whole."""
    size = os.fstat(handle).st_size
    if size < len(_MAGIC) + _TAIL:
        return f"{size} bytes are too few"
    head, tail = os.pread(handle, len(_MAGIC), 0), os.pread(handle, _TAIL, size - _TAIL)
    if head not in {_MAGIC, _MAGIC_ENCRYPTED} or tail[4:] != head:
        return "the magic bytes are not at both ends"
    length = int.from_bytes(tail[:4], "little")
    start = size - _TAIL - length
    if length == 0 or start < len(_MAGIC):
        return f"the footer's length, {length}, is wrong"
    if head == _MAGIC_ENCRYPTED or _is_footer(os.pread(handle, 1, start), os.pread(handle, 1, size - _TAIL - 1)):
        return None
    return None if _is_readable(handle) else f"there is no footer at its place, {start}"


def _is_footer(first: bytes, last: bytes) -> bool:
    return first == bytes([_VERSION_FIELD]) and last == bytes([_STOP])


def _is_readable(handle: int) -> bool:
    import pyarrow as pa  # noqa: PLC0415 - rarely needed, and heavy in a helper process
    import pyarrow.parquet as pq  # noqa: PLC0415 - as above

    try:
        with os.fdopen(os.dup(handle), "rb") as file:
            file.seek(0)
            pq.read_metadata(file)
    except (pa.ArrowException, OSError):
        return False
    return True
