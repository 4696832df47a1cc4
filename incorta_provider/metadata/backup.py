"""Keeps the schema that a cutover is about to replace, once.

What is invalid there, as a view of a table that is gone, can be dumped by nobody and must not keep a cutover from going
on: the rest is kept, and the record says what was left out.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from incorta_provider.exceptions import DrError
from incorta_provider.metadata.archive import new_archive, replacing
from incorta_provider.metadata.dump_client import backing_up
from incorta_provider.metadata.endpoint import Endpoint, Session
from incorta_provider.metadata.errors import translated
from incorta_provider.metadata.schema import holds_anything

BACKUP_FILE = "previous.sql.zst"
RECORD_FILE = "previous.json"

INVALID = frozenset({1356, 1449})
"""A view that names what does not exist, and a definer that does not (MariaDB's error codes)."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Backup:
    """What ``previous.json`` says.

    :ivar kept: False when there was nothing to keep.
    :ivar sha256: of the dump beside it, in hex.
    :ivar bytes: of the compressed dump.
    :ivar complete: False when something could not be dumped; ``left_out`` is what the client said of it.
    """

    kept: bool
    sha256: str = ""
    bytes: int = 0
    complete: bool = True
    left_out: str = ""


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
    try:
        return _archived(endpoint, path, forced=False)
    except DrError as error:
        if not _is_invalid(error):
            raise
        log.warning("the schema that is replaced cannot be kept whole: %s", error.what)
        return _archived(endpoint, path, forced=True)


def _is_invalid(error: DrError) -> bool:
    """Tell by the server's error code whether an object of the schema is invalid."""
    cause = error.__cause__
    return cause is not None and bool(cause.args) and cause.args[0] in INVALID


def _codes(complaints: str) -> set[int]:
    """Return the error codes that a forced dump names: a lost connection must not pass for an invalid view."""
    return {int(code) for code in re.findall(r"(?:\(|[Ee]rror:? )(\d{4})\b", complaints)}


def _archived(endpoint: Endpoint, path: Path, *, forced: bool) -> Backup:
    with backing_up(endpoint, forced=forced) as stream, new_archive(path) as archive:
        for piece in stream.pieces():
            archive.write(piece)
        left_out = stream.left_out()
        if not _codes(left_out) <= INVALID:
            raise stream.client.failure()
        sha256 = archive.close()
        return Backup(True, sha256, archive.size, complete=not left_out, left_out=left_out)
