"""Small writes that are whole or absent, and secret files that were never readable by others."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a text file so that a reader sees the old or the new one, never half of it.

    :param mode: set before the first byte is written; 0600 for anything with a secret.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as stream:
        os.fchmod(stream.fileno(), mode)
        stream.write(text)
    draft.replace(path)


def last_lines(path: Path, count: int = 15) -> str:
    """Return the end of a log, or a word on why there is none."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        return f"(no log: {error.strerror})"
    return "\n".join(lines[-count:]) or "(the log is empty)"
