"""Writes a file under its final name, piece by piece, as load jobs do: whoever copies meanwhile meets a part of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

PIECES = 8


def write_slowly(path: Path, content: bytes, *, seconds: float, pause: Callable[[float], None]) -> None:
    """Write ``content`` in :data:`PIECES` pieces.

    :param seconds: how long the whole takes.
    :param pause: waits for the seconds that it is given.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    step = max(1, -(-len(content) // PIECES))
    with path.open("wb") as stream:
        for start in range(0, len(content), step):
            stream.write(content[start : start + step])
            stream.flush()
            pause(seconds / PIECES)
