"""Keeps the schema that a cutover is about to replace, once."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from incorta_provider.metadata.archive import new_archive, replacing
from incorta_provider.metadata.dump_client import backing_up
from incorta_provider.metadata.endpoint import Endpoint, Session
from incorta_provider.metadata.errors import translated
from incorta_provider.metadata.schema import holds_anything

BACKUP_FILE = "previous.sql.zst"
RECORD_FILE = "previous.json"


@dataclass(frozen=True, slots=True)
class Backup:
    """What ``previous.json`` says.

    :ivar kept: False when there was nothing to keep.
    :ivar sha256: of the dump beside it, in hex.
    :ivar bytes: of the compressed dump.
    """

    kept: bool
    sha256: str = ""
    bytes: int = 0


def keep_previous(endpoint: Endpoint, session: Session, folder: Path) -> None:
    """Dump what the schema holds into ``folder``, unless a former try did.

    The record is written last. It stands for "nothing to keep" as well, so that a half loaded schema is never taken for
    the one before.

    :param session: at the same server.
    """
    if (folder / RECORD_FILE).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with translated(endpoint.label):
        anything = holds_anything(session, endpoint.schema)
    backup = _dump(endpoint, folder / BACKUP_FILE) if anything else Backup(kept=False)
    with replacing(folder / RECORD_FILE) as file:
        file.write(json.dumps(asdict(backup)).encode())


def _dump(endpoint: Endpoint, path: Path) -> Backup:
    with backing_up(endpoint) as stream, new_archive(path) as archive:
        for piece in stream.pieces():
            archive.write(piece)
        sha256 = archive.close()
        return Backup(kept=True, sha256=sha256, bytes=archive.size)
