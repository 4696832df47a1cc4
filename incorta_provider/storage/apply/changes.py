"""The changes that lead from the state of the live replica to a recovery point.

The delta of a point does, when the replica is the point before it, and read the other way round it leads back; it is as
long as what changed. Between other points, and from a replica that was found to be something else, two manifests are
compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from incorta_provider.dr.diff import Change, diff
from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.storage.apply.actual import actual_path
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.manifest.delta_file import change_between, delta_base, end_folders, read_delta
from incorta_provider.storage.manifest.manifest_file import differing, read_manifest, read_totals, select


class Changes(Protocol):
    """What leads from one state to another; may be read as often as you like."""

    def changes(self) -> Iterator[Change]:
        """Yield what changes, in path order."""

    def folders(self, wanted: Sequence[bytes]) -> list[Entry]:
        """Return folders of the point as it has them, in path order.

        :param wanted: sorted; paths that are not folders there are fine.
        """


def changes_to(catalog: Catalog, base: str | None, target: str) -> Changes:
    """Return what leads from a point to another; from what was found, where that was written down.

    :param base: the point that the replica is by its record; None before the first apply.
    """
    if (found := actual_path(catalog)).exists():
        return Compared(found, catalog.manifest_path(target))
    return _recorded(catalog, base, target)


def files_of(catalog: Catalog, base: str | None) -> int:
    """Return how many files the replica has; of what was found, where that was written down."""
    if (found := actual_path(catalog)).exists():
        return read_totals(found).files
    return read_totals(catalog.manifest_path(base)).files if base else 0


def _recorded(catalog: Catalog, base: str | None, target: str) -> Changes:
    manifest = catalog.manifest_path(target)
    forward = _delta(catalog, target)
    if forward.exists() and delta_base(forward) == base:
        return _Delta(forward, manifest, back=False)
    if base is None:
        return Compared(None, manifest)
    back = _delta(catalog, base)
    if back.exists() and delta_base(back) == target:
        return _Delta(back, manifest, back=True)
    return Compared(catalog.manifest_path(base), manifest)


def _delta(catalog: Catalog, point_id: str) -> Path:
    return Workspace(catalog.point_dir(point_id)).delta


class Compared:
    """What leads from one manifest to another.

    :param base: None for an empty one.
    """

    def __init__(self, base: Path | None, target: Path) -> None:
        self._base = base
        self._target = target

    def changes(self) -> Iterator[Change]:
        """Yield what changes, in path order."""
        if self._base is None:
            return diff((), read_manifest(self._target))
        return diff(*differing(self._base, self._target))

    def folders(self, wanted: Sequence[bytes]) -> list[Entry]:
        """Return folders of the point as it has them, in path order."""
        return [entry for entry in select(self._target, wanted) if entry.kind is Kind.DIR]


class _Delta:
    """What a delta leads to, or back from.

    :param manifest: of the point at the end; read only for folders that the delta does not have.
    """

    def __init__(self, delta: Path, manifest: Path, *, back: bool) -> None:
        self._delta = delta
        self._manifest = manifest
        self._back = back

    def changes(self) -> Iterator[Change]:
        """Yield what changes, in path order."""
        changes = read_delta(self._delta)
        return (change_between(change.new, change.old) for change in changes) if self._back else changes

    def folders(self, wanted: Sequence[bytes]) -> list[Entry]:
        """Return folders of the point as it has them, in path order."""
        known = {entry.path: entry for entry in end_folders(self._delta, back=self._back)}
        missing = [path for path in wanted if path not in known]
        if missing:
            known.update((entry.path, entry) for entry in Compared(None, self._manifest).folders(missing))
        return [known[path] for path in wanted if path in known]
