"""What the catalog keeps of the change breaker: the run that it holds, and a person's word to let that run through.

:raises IntegrityError: a record that is there is damaged.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime, BaseModel

from incorta_provider.dr.frozen import FrozenModel
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.durable import sync_folder
from incorta_provider.storage.names import folder_name
from incorta_provider.storage.records.json_file import read_model, write_json

WAITS = timedelta(hours=1)
"""So long other runs stand aside for one that was let through, and whose task is still to be cleared."""


class Counts(FrozenModel):
    """How many files differ from the point before."""

    removed: int
    changed: int

    def covers(self, other: Counts) -> bool:
        """Tell whether the other is no more than this."""
        return other.removed <= self.removed and other.changed <= self.changed


class Held(FrozenModel):
    """The run that the breaker stopped.

    :ivar counts: None when the source itself is at fault: nobody can let that through.
    :ivar pinned: the last good point.
    """

    run_id: str
    at: AwareDatetime
    reasons: tuple[str, ...]
    counts: Counts | None
    pinned: str | None


class Override(FrozenModel):
    """A person's word for one run, up to what was seen.

    :ivar used_at: when the run went through; it is the same run's to the end, and no other's.
    """

    run_id: str
    reason: str
    by: str
    at: AwareDatetime
    counts: Counts
    used_at: AwareDatetime | None = None


class BreakerFile:
    """``breaker/`` in the catalog of the target site."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._root = catalog.root / "breaker"

    def held(self) -> Held | None:
        """Return what the breaker holds; None while it is closed."""
        return read_model(self._held, Held)

    def hold(self, held: Held) -> Held:
        """Keep what was stopped, and return the run that waits for a person's word.

        That is the first one, as long as its workspace is there: a person who looks at it is not overtaken by the next
        run, which saw the same.
        """
        known = self.held()
        if known is not None and known.counts is not None and held.counts is not None and self._has_workspace(known):
            return known
        self._write(self._held, held)
        return held

    def release(self) -> None:
        """Close the breaker."""
        if self._held.exists():
            self._held.unlink()
            sync_folder(self._root)

    def save(self, override: Override) -> None:
        """Keep a person's word."""
        self._write(self._override(override.run_id), override)

    def override(self, run_id: str) -> Override | None:
        """Return the word for a run."""
        return read_model(self._override(run_id), Override)

    def newest_word(self) -> Override | None:
        """Return the newest word, whatever became of it."""
        return max(self._words(), key=lambda word: word.at, default=None)

    def let_through(self, now: datetime) -> Override | None:
        """Return the word for a run that has sealed nothing yet, given within the hour."""
        fresh = [word for word in self._words() if now - word.at <= WAITS and self._has_workspace(word)]
        return max(fresh, key=lambda word: word.at, default=None)

    def _words(self) -> list[Override]:
        found = (read_model(path, Override) for path in self._root.glob("override-*.json"))
        return [word for word in found if word is not None]

    def _has_workspace(self, of: Held | Override) -> bool:
        return any(workspace.root.name == folder_name(of.run_id) for workspace in self._catalog.workspaces())

    def _write(self, path: Path, record: BaseModel) -> None:
        self._catalog.ensure_there()
        self._root.mkdir(mode=0o700, exist_ok=True)
        write_json(path, record.model_dump(mode="json"))

    @property
    def _held(self) -> Path:
        return self._root / "held.json"

    def _override(self, run_id: str) -> Path:
        return self._root / f"override-{folder_name(run_id)}.json"
