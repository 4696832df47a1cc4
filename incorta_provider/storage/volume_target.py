"""A target whose replica and vault are folders on one file system, here or at a node.

All that :class:`incorta_provider.storage.target.Target` asks for but the copier, which is where the kinds differ.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from incorta_provider.dr.manifest import Entry
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.exceptions import LostWritesError
from incorta_provider.storage.apply.actual import write_actual
from incorta_provider.storage.apply.apply import apply_point, ensure_fit, rehearse_apply
from incorta_provider.storage.apply.redo_journal import Step, Verb
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.copying.free_space import ensure_room
from incorta_provider.storage.copying.work_pool import Batch, chunks
from incorta_provider.storage.copying.workspace import Workspace, voiding
from incorta_provider.storage.target import ApplyReport
from incorta_provider.storage.tree import Tree
from incorta_provider.storage.vault.areas import HISTORY, Areas
from incorta_provider.storage.vault.leftovers import leftovers
from incorta_provider.storage.vault.vault import Vault
from incorta_provider.storage.volume import LIVE, STEPS, AreaReader, Volume

MENDED = "mended"
"""The history folder for files that were replaced by what was fetched from elsewhere."""


class VolumeTarget:
    """The target on ``volume``, with its records in ``catalog``."""

    looks_at_once = 1

    def __init__(self, catalog: Catalog, volume: Volume, areas: Areas) -> None:
        self.catalog = catalog
        self.volume = volume
        self._areas = areas
        self._vault = Vault(catalog, volume, areas)

    @property
    def label(self) -> str:
        """Where the replica is."""
        return self.volume.label

    def initialise(self) -> None:
        """Make nothing: the catalog is all."""

    def keep_records(self, point_id: str) -> None:
        """Copy nothing: the catalog lies where the bytes are."""

    def drop_records(self, point_id: str) -> None:
        """Do nothing: there is no copy."""

    def check(self) -> None:
        """Refuse a replica that cannot be made, or that no rename from the vault can reach."""
        ensure_fit(self._vault)

    def ensure_room(self, *, size: int, files: int) -> None:
        """Refuse a copy of ``size`` bytes that there is no room for."""
        ensure_room(self.volume.room(), self.volume.vault_label, size=size, files=files)

    def staged_reader(self, workspace: Workspace) -> AreaReader:
        """Return what reads staged files again, with the frames of Parquet files."""
        return self.volume.reader(self._areas.of_run(workspace), framing=True)

    def touched(self, workspace: Workspace, batch: Batch, changed_ns: Sequence[int] = (), /) -> list[bytes]:
        """Return which staged files are not as they were staged, by their facts alone."""
        return self.volume.touched(self._areas.of_run(workspace), batch, changed_ns)

    def flush(self, workspace: Workspace) -> None:
        """Bring everything staged to disk, with all else on its file system: files were not synced one by one."""
        self._sync()

    def discard(self, workspace: Workspace) -> None:
        """Drop the staged bytes of a run that sealed nothing."""
        self.volume.remove(self._areas.of_run(workspace))

    def live(self, exclude: Sequence[str] = ()) -> Tree:
        """Return the live replica as a tree that can be listed."""
        return self.volume.live(exclude)

    def live_reader(self) -> AreaReader:
        """Return what reads files of the live replica."""
        return self.volume.reader(LIVE)

    def waiting(self) -> set[bytes]:
        """Return nothing: what is staged does not lie in the replica."""
        return set()

    def find_out(self, path: Path, point_id: str, suspects: Collection[bytes] = ()) -> None:
        """Write a manifest of what the live replica is to ``path``, whatever its record says."""
        write_actual(path, self.volume, self.catalog.manifest_path(point_id), suspects)

    def apply(self, point_id: str, *, suspects: Collection[bytes] | None = None) -> ApplyReport:
        """Make the live replica the point; an apply that was cut off before is finished first."""
        with self._voiding():
            return apply_point(self._vault, point_id, suspects=suspects)

    def set_aside(self, paths: Iterable[bytes], folder: str) -> None:
        """Move files and links out of the live replica into a folder of the vault that no apply and no prune looks at.

        May be repeated: what is in the folder already stays as it is. The caller holds the catalog's lock ``apply``.
        """
        for some in chunks((Step(Verb.REMOVE, path) for path in paths), STEPS):
            self.volume.do(some, os.fsencode(folder))
        self._sync()

    def rehearse(self, point_id: str, found: Path | None) -> None:
        """Plan an apply to the end and do nothing."""
        rehearse_apply(self._vault, point_id, found)

    def leftovers(self, retained: Sequence[Path], dropped: Sequence[Path]) -> Iterator[tuple[bytes, int]]:
        """Yield each kept file that only dropped points need, as its place in the vault and its size in bytes."""
        return leftovers(self._vault, retained, dropped)

    def forget(self, places: Iterator[bytes]) -> None:
        """Delete what :meth:`leftovers` named; what is gone already is fine."""
        for some in chunks(places, STEPS):
            self.volume.forget(some)

    def holds_staged(self, point: RecoveryPoint) -> bool:
        """Tell whether files that a point brought still lie in its staging area."""
        return next(iter(self.volume.kept(self._areas.of_point(point))), None) is not None

    def mend(self, workspace: Workspace, entries: Sequence[Entry]) -> None:
        """Put files that were staged into the live replica; what is in their place goes to the history."""
        area = self._areas.of_run(workspace) + b"/"
        history = os.fsencode(f"{HISTORY}/{self._vault.new_history(MENDED)}")
        steps = (Step(Verb.PLACE, entry.path, area + entry.path, entry.mode, entry.mtime_ns) for entry in entries)
        for some in chunks(steps, STEPS):
            self.volume.do(some, history)
        self._sync()

    def _sync(self) -> None:
        with self._voiding():
            self.volume.sync()

    @contextmanager
    def _voiding(self) -> Iterator[None]:
        """Frame what brings files to disk; the refusal is forgotten only when the workspaces are void on disk."""
        try:
            with voiding(self.catalog.workspaces):
                yield
        except LostWritesError:
            self.volume.heard()
            raise
