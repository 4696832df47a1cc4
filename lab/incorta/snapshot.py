"""Snapshot files: what the engine reads at a start instead of the Parquet files.

The format is invented: ``DDM1``, the length of a JSON header, the header, the payload, and the SHA-256 of all before
it. So a snapshot says itself whether it is whole and which commit it belongs to; one of another commit, or none at all,
costs a load from staging (:mod:`lab.incorta.rebuild`), while a torn one is a sign that the copy cannot be trusted.

Raises :class:`TornSnapshotError` for a file that is not whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.incorta.live import LiveTable
from lab.incorta.storage import TEMPORARY, snapshot_file

_MAGIC = b"DDM1"
_DIGEST = hashlib.sha256().digest_size
_HEAD = len(_MAGIC) + 4


class TornSnapshotError(ValueError):
    """The file is not a whole snapshot; the message says why."""


@dataclass(frozen=True, slots=True)
class SnapshotHeader:
    """What a snapshot says of itself.

    :param commit: the version of the table that it was made from.
    """

    table: str
    commit: int
    rows: int


def write_snapshot(path: Path, header: SnapshotHeader, payload: bytes) -> None:
    """Replace a snapshot; readers see the old or the new one, never a part."""
    draft = path.parent / TEMPORARY / f"{path.name}.{os.getpid()}.{threading.get_ident()}"
    draft.parent.mkdir(parents=True, exist_ok=True)
    draft.write_bytes(_encode(header, payload))
    draft.replace(path)


def read_snapshot(path: Path) -> SnapshotHeader:
    """Check that a snapshot is whole and return its header.

    :raises TornSnapshotError: it is cut, changed, or no snapshot.
    """
    content = path.read_bytes()
    if not content.startswith(_MAGIC):
        raise TornSnapshotError("does not begin like a snapshot")
    if len(content) < _HEAD + _DIGEST:
        raise TornSnapshotError(f"is cut after {len(content)} bytes")
    if hashlib.sha256(content[:-_DIGEST]).digest() != content[-_DIGEST:]:
        raise TornSnapshotError("has another checksum than it carries")
    length = int.from_bytes(content[len(_MAGIC) : _HEAD], "big")
    return SnapshotHeader(**json.loads(content[_HEAD : _HEAD + length]))


def outdated(storage_root: Path, tenant: str, tables: list[LiveTable]) -> list[LiveTable]:
    """Return the tables whose snapshot is missing, torn or of another commit than the live one."""
    return [table for table in tables if _commit_of(storage_root, tenant, table) != table.version]


def _commit_of(storage_root: Path, tenant: str, table: LiveTable) -> int | None:
    try:
        return read_snapshot(storage_root / snapshot_file(tenant, table.schema, table.name)).commit
    except (FileNotFoundError, TornSnapshotError):
        return None


def _encode(header: SnapshotHeader, payload: bytes) -> bytes:
    text = json.dumps(asdict(header)).encode()
    body = _MAGIC + len(text).to_bytes(4, "big") + text + payload
    return body + hashlib.sha256(body).digest()
