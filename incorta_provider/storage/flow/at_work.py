"""Which copies of a run are under way, on whichever machine: those whose records of progress are fresh.

Ages are told by the times of the files, which one file server stamps: clocks of workers may differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from incorta_provider.storage.flow.progress import NEXT_SECONDS

FRESH_SECONDS = 3 * NEXT_SECONDS
"""A copy that has not written for this long is dead, or hangs."""


def records_at_work(workspace: Path) -> list[Path]:
    """Return the fresh records in a run's folder."""
    stamps = dict(_stamps(workspace))
    newest = max(stamps.values(), default=0.0)
    return sorted(path for path, stamp in stamps.items() if newest - stamp <= FRESH_SECONDS)


def _stamps(workspace: Path) -> Iterator[tuple[Path, float]]:
    for path in workspace.glob("progress*.json"):
        with suppress(FileNotFoundError):
            yield path, path.stat().st_mtime
