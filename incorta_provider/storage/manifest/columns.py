"""Entries as Arrow columns: what manifests and deltas are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

from incorta_provider.dr.manifest import CODES, KINDS, Entry, entry_of
from incorta_provider.late import late
from incorta_provider.storage.manifest.arrow_columns import digests, fixed, integers, strings

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = late("pyarrow")

_DIGEST_BYTES = 32

NAMES = ("path", "kind", "size", "mtime_ns", "mode", "sha256", "link_target", "version")
_DICTIONARIES = ["kind", "mode"]
_SINGLE = {"path": "DELTA_BYTE_ARRAY"}

PARQUET = {
    "compression": "zstd",
    "use_dictionary": _DICTIONARIES,
    "column_encoding": {name: "PLAIN" for name in NAMES if name not in _DICTIONARIES} | _SINGLE,
    "write_page_checksum": True,
}
"""How the columns are written, for :class:`pyarrow.parquet.ParquetWriter`."""


@cache
def fields() -> tuple[pa.Field, ...]:
    """Return the columns with their types."""
    return (
        pa.field("path", pa.binary(), nullable=False),
        pa.field("kind", pa.uint8(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("mtime_ns", pa.int64(), nullable=False),
        pa.field("mode", pa.int16(), nullable=False),
        pa.field("sha256", pa.binary(_DIGEST_BYTES)),
        pa.field("link_target", pa.binary()),
        pa.field("version", pa.binary()),
    )


def to_columns(entries: Sequence[Entry]) -> list[pa.Array]:
    """Return the columns of ``fields()``."""
    paths, kinds, sizes, times, modes, sha256, links, versions = zip(*entries, strict=True) if entries else ((),) * 8
    return [
        strings(paths),
        integers([CODES[kind] for kind in kinds], pa.uint8()),
        integers(sizes, pa.int64()),
        integers(times, pa.int64()),
        integers(modes, pa.int16()),
        digests(sha256, _DIGEST_BYTES),
        strings(links),
        strings(versions),
    ]


def to_entries(rows: pa.Table) -> Iterator[Entry]:
    """Yield the entries that the columns of ``fields()`` hold; other columns are not looked at."""
    path, code, size, mtime_ns, mode, link, version = (rows[name].to_pylist() for name in NAMES if name != "sha256")
    kinds, sums = map(KINDS.__getitem__, code), fixed(rows["sha256"])
    return map(entry_of, zip(path, kinds, size, mtime_ns, mode, sums, link, version, strict=True))
