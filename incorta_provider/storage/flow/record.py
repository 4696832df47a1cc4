"""How far a copy is, written down beside it for people: ``progress.json``, or ``progress.<shard>.json`` of a shard.

A record is there while its copy runs, and is written again and again; one that is not was left by a copy that was
killed.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

from pydantic import AwareDatetime

from incorta_provider.dr.frozen import FrozenModel
from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.flow.at_work import records_at_work
from incorta_provider.storage.records.json_file import read_model, write_json


class ProgressRecord(FrozenModel):
    """How far one copy is.

    :ivar shard: which shard is copied; None for a copy of everything.
    :ivar seconds_left: None where nobody can tell.
    :ivar spool_bytes: how many bytes of it may wait at the worker at once.
    :ivar text: the line of the task's log.
    """

    at: AwareDatetime
    host: str
    process: int
    shard: int | None
    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int
    bytes_per_second: float
    seconds_left: float | None
    spool_bytes: int = 0
    text: str


def record_path(workspace: Path, shard: int | None = None) -> Path:
    """Return where the record of a copy lies."""
    return workspace / ("progress.json" if shard is None else f"progress.{shard:02d}.json")


def write_record(workspace: Path, record: ProgressRecord) -> None:
    """Write a record, whole or not at all."""
    write_json(record_path(workspace, record.shard), record.model_dump(mode="json"))


def remove_record(workspace: Path, shard: int | None = None) -> None:
    """Remove the record of a copy that ended."""
    with suppress(OSError):
        record_path(workspace, shard).unlink(missing_ok=True)


def read_records(workspace: Path) -> list[ProgressRecord]:
    """Return the records of the copies that are under way."""
    found = []
    for path in records_at_work(workspace):
        with suppress(OSError, IntegrityError):
            if (record := read_model(path, ProgressRecord)) is not None:
                found.append(record)
    return found


def this_process() -> tuple[str, int]:
    """Return the machine and the process that a record names."""
    return socket.gethostname(), os.getpid()
