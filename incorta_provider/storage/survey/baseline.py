"""What a pass starts from: the previous point, and what earlier passes of this run did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from incorta_provider.dr.manifest import Entry
from incorta_provider.storage.copying.staged_index import newest
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.manifest.cursor import Edit
from incorta_provider.storage.manifest.delta_file import changed_folders, delta_cuts, delta_gain, path_of, read_delta
from incorta_provider.storage.manifest.manifest_file import read_totals


@dataclass(frozen=True, slots=True)
class Baseline:
    """The base with what this run has made of it.

    :ivar base: manifest of the newest sealed point, whose bytes are all at the target; None when there is none.
    :ivar held: result of the last complete pass of this run, as a delta from the base; None before the first.
    :ivar indexes: of what passes after that one staged before they were cut off, oldest first.
    """

    base: Path | None
    held: Path | None = None
    indexes: Sequence[Path] = ()

    @classmethod
    def of(cls, workspace: Workspace, base: Path | None) -> Baseline:
        """Return what the next pass of a run starts from."""
        held = workspace.last_seen()
        return cls(base, held, workspace.indexes(after=held))

    @property
    def base_id(self) -> str | None:
        """The id of the point before: its folder has it as its name."""
        return self.base.parent.name if self.base else None

    @property
    def is_first_try(self) -> bool:
        """Whether this run has staged nothing yet."""
        return self.held is None and not self.indexes

    def base_totals(self) -> tuple[int, int]:
        """Return how many files the base has, and their bytes."""
        if self.base is None:
            return 0, 0
        totals = read_totals(self.base)
        return totals.files, totals.bytes

    def files(self) -> int:
        """Return how many files this run has by now; those of the base before its first pass."""
        return self.base_totals()[0] + (delta_gain(self.held).files if self.held else 0)

    def rows(self) -> int:
        """Return about how many entries the source has."""
        before = read_totals(self.base).entries if self.base else 0
        return before + (delta_gain(self.held).entries if self.held else 0)

    def held_cuts(self, groups: int) -> Sequence[bytes]:
        """Return where each run of that many groups of what this run held begins, but the first one."""
        return delta_cuts(self.held, groups) if self.held else ()

    def held_edits(self) -> Iterator[Edit]:
        """Yield what this run held where that differs from the base."""
        for change in read_delta(self.held) if self.held else ():
            yield path_of(change), change.new

    def staged(self) -> Iterator[Entry]:
        """Yield what was staged after that."""
        return newest(self.indexes)

    def young(self) -> frozenset[bytes] | None:
        """Return the folders that the base found changed; None when that cannot be told."""
        delta = self.base and Workspace(self.base.parent).delta
        return frozenset(changed_folders(delta)) if delta and delta.exists() else None
