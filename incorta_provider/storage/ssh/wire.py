"""How worker and agent talk: messages of a short JSON head and a body of bytes, over any stream.

Nothing of what the far end sends can run code here. Entries travel in columns, because a million of them are listed.
This module needs only the standard library.

:raises WireError: what came is not a message of this kind.
"""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple, cast

from incorta_provider.dr.manifest import KINDS, Entry, Row

MAX_HEAD = 4 << 20
MAX_BODY = 64 << 20
_SIZES = struct.Struct(">II")
_COLUMNS = "<I{0}B{0}H{0}q{0}q"
_CODE_OF = {kind: code for code, kind in enumerate(KINDS)}
_CODES = set(range(len(KINDS)))
_NONE = 0xFFFFFFFF
_LEVEL = 1
"""Paths shrink to a tenth at the cheapest level; what more costs is not won back even on a slow line."""


class WireError(Exception):
    """The far end does not keep to the protocol."""


class Message(NamedTuple):
    """One message."""

    head: dict[str, Any]
    body: bytes = b""


def encode(head: dict[str, Any], body: bytes = b"") -> bytes:
    """Return a message as bytes."""
    text = json.dumps(head).encode("ascii")
    if len(text) > MAX_HEAD or len(body) > MAX_BODY:
        raise WireError(f"a message of {len(text)} and {len(body)} bytes is too long")
    return _SIZES.pack(len(text), len(body)) + text + body


def receive(read: Callable[[int], bytes]) -> Message | None:
    """Take one message; None at the end of the stream.

    :param read: returns exactly as many bytes as asked for, fewer only at the end.
    """
    sizes = read(_SIZES.size)
    if not sizes:
        return None
    if len(sizes) < _SIZES.size:
        raise WireError("the stream ended within a message")
    head_size, body_size = _SIZES.unpack(sizes)
    if head_size > MAX_HEAD or body_size > MAX_BODY:
        raise WireError(f"a message of {head_size} and {body_size} bytes is too long")
    text, body = read(head_size), read(body_size) if body_size else b""
    if len(text) < head_size or len(body) < body_size:
        raise WireError("the stream ended within a message")
    try:
        head = json.loads(text)
    except ValueError:
        raise WireError("a message has no JSON head") from None
    if not isinstance(head, dict):
        raise WireError("the head of a message is not an object")
    return Message(head, body)


def pack_rows(rows: Sequence[Row]) -> bytes:
    """Return rows of a listing as compressed columns."""
    paths, codes, sizes, times, modes, links, versions = zip(*rows, strict=True) if rows else ((),) * 7
    count = len(rows)
    numbers = struct.pack(_COLUMNS.format(count), count, *codes, *modes, *sizes, *times)
    return zlib.compress(numbers + b"".join(map(_pack_texts, (paths, links, versions))), _LEVEL)


def unpack_rows(packed: bytes) -> Iterator[Row]:
    """Yield the rows that :func:`pack_rows` was given."""
    data = _inflated(packed)
    try:
        (count,) = struct.unpack_from("<I", data)
        form = _COLUMNS.format(count)
        _, *numbers = struct.unpack_from(form, data)
        place = struct.calcsize(form)
        paths, place = _unpack_texts(data, place)
        links, place = _unpack_texts(data, place)
        versions, _ = _unpack_texts(data, place)
    except struct.error as error:
        raise WireError(f"a list of entries is damaged: {error}") from None
    codes, modes, sizes, times = (numbers[part * count : (part + 1) * count] for part in range(4))
    if {len(paths), len(links), len(versions)} != {count} or None in paths or not set(codes) <= _CODES:
        raise WireError("a list of entries is damaged")
    return zip(cast("list[bytes]", paths), codes, sizes, times, modes, links, versions, strict=True)


def pack_entries(entries: Sequence[Entry]) -> bytes:
    """Return entries as compressed columns."""
    rows = [
        (entry.path, _CODE_OF[entry.kind], entry.size, entry.mtime_ns, entry.mode, entry.link_target, entry.version)
        for entry in entries
    ]
    return encode({}, pack_rows(rows)) + zlib.compress(_pack_texts([entry.sha256 for entry in entries]), _LEVEL)


def unpack_entries(packed: bytes) -> list[Entry]:
    """Return the entries that :func:`pack_entries` was given."""
    rows = io.BytesIO(packed)
    message = receive(rows.read)
    if message is None:
        return []
    digests = unpack_texts(rows.read())
    return [
        Entry(path, KINDS[code], size, mtime_ns, mode, digest, link, version)
        for (path, code, size, mtime_ns, mode, link, version), digest in zip(
            unpack_rows(message.body), digests, strict=True
        )
    ]


def pack_texts(texts: Sequence[bytes | None]) -> bytes:
    """Return byte strings, any of which may be None, compressed."""
    return zlib.compress(_pack_texts(texts), _LEVEL)


def unpack_texts(packed: bytes) -> list[bytes | None]:
    """Return what :func:`pack_texts` was given."""
    try:
        return _unpack_texts(_inflated(packed), 0)[0]
    except struct.error as error:
        raise WireError(f"a list of texts is damaged: {error}") from None


def pack_contents(contents: Sequence[bytes | None]) -> bytes:
    """Return what files hold, as it is: most of it, Parquet, is compressed already."""
    return _pack_texts(contents)


def unpack_contents(packed: bytes) -> list[bytes | None]:
    """Return what :func:`pack_contents` was given."""
    try:
        return _unpack_texts(packed, 0)[0]
    except struct.error as error:
        raise WireError(f"a list of contents is damaged: {error}") from None


def pack_paths(paths: Sequence[bytes]) -> bytes:
    """Return paths, compressed."""
    return pack_texts(paths)


def unpack_paths(packed: bytes) -> list[bytes]:
    """Return what :func:`pack_paths` was given."""
    return [path for path in unpack_texts(packed) if path is not None]


def pack_numbers(rows: Sequence[Sequence[int]]) -> bytes:
    """Return rows of equally many signed 64-bit numbers."""
    return struct.pack(f"<{sum(map(len, rows))}q", *(number for row in rows for number in row))


def unpack_numbers(packed: bytes, width: int) -> list[tuple[int, ...]]:
    """Return rows of ``width`` numbers."""
    try:
        return list(struct.iter_unpack(f"<{width}q", packed))
    except struct.error as error:
        raise WireError(f"a list of numbers is damaged: {error}") from None


def _pack_texts(texts: Sequence[bytes | None]) -> bytes:
    count = len(texts)
    lengths = (_NONE if text is None else len(text) for text in texts)
    return struct.pack(f"<I{count}I", count, *lengths) + b"".join(text for text in texts if text is not None)


def _unpack_texts(data: bytes, place: int) -> tuple[list[bytes | None], int]:
    (count,) = struct.unpack_from("<I", data, place)
    lengths = struct.unpack_from(f"<{count}I", data, place + 4)
    begin = place + 4 + 4 * count
    ends = accumulate((0 if length == _NONE else length for length in lengths), initial=begin)
    texts = [
        None if length == _NONE else data[start:end]
        for length, (start, end) in zip(lengths, pairwise(ends), strict=True)
    ]
    end = begin + sum(length for length in lengths if length != _NONE)
    if end > len(data):
        raise WireError("a list of texts is damaged: it is too short")
    return texts, end


def _inflated(packed: bytes) -> bytes:
    """Return what was packed, but never more than a message may have: a small one could unfold to fill the memory."""
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(packed, 4 * MAX_BODY)
    except zlib.error as error:
        raise WireError(f"a body is damaged: {error}") from None
    if inflater.unconsumed_tail or not inflater.eof:
        raise WireError("a body is damaged or too long")
    return data
