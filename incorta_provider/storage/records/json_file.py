"""Small JSON files that are whole or absent, whatever dies in the middle of writing them.

:raises IntegrityError: a file that is there holds no JSON, or another record, which no crash of ours can cause.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.durable import sync_folder

if TYPE_CHECKING:
    from pydantic import BaseModel

Record = TypeVar("Record", bound="BaseModel")

NOBODYS_SECONDS = 3600
"""A draft lives for milliseconds; one that is older is left of a process that was killed."""


def write_json(path: Path, document: Any) -> None:
    """Replace ``path`` by one atomic rename, on disk before this returns, for the owner only. Its folder must be there.

    A folder is never made on the way: one that is gone was thrown away, or its storage is not mounted.
    """
    write_text(path, json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n")


def write_text(path: Path, text: str) -> None:
    """Replace ``path`` by a text in the same way as :func:`write_json` does."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    sync_folder(path.parent)


def collect_drafts(folder: Path, *, age_seconds: float = NOBODYS_SECONDS) -> None:
    """Remove what writers that were killed left in a folder.

    :param age_seconds: only what is as old; 0 where nobody else can be writing.
    """
    for draft in folder.glob(".*.tmp"):
        with suppress(FileNotFoundError):
            if time.time() - draft.stat().st_mtime >= age_seconds:
                draft.unlink()


def read_json(path: Path) -> Any | None:
    """Return what ``path`` holds; None when there is no such file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise IntegrityError(
            f"the file is not valid JSON: {error}", where=str(path), fix="Restore it from a backup of the catalog."
        ) from None


def read_model(path: Path, model: type[Record]) -> Record | None:
    """Return the record that ``path`` holds; None when there is no such file.

    :raises IntegrityError: the file holds JSON, but not such a record.
    """
    from pydantic import ValidationError  # noqa: PLC0415 - takes 0.3 s, and helper processes read no models

    if (document := read_json(path)) is None:
        return None
    try:
        return model.model_validate(document)
    except ValidationError as error:
        places = ", ".join(".".join(map(str, fault["loc"])) or "the whole" for fault in error.errors())
        raise IntegrityError(
            f"the file is not a valid {model.__name__}: wrong in {places}",
            where=str(path),
            fix="Restore it from a backup of the catalog.",
        ) from None
