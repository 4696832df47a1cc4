"""A source, a target and a catalog here, and the steps of replication between them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from incorta_provider.dr.manifest import Entry
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.copying.checks import drop_from_manifest, ensure_staged, verify_staged
from incorta_provider.storage.copying.transfer import CopyReport, copy_delta
from incorta_provider.storage.manifest.manifest_file import read_manifest
from incorta_provider.storage.tree import Tree
from incorta_provider.storage.verify import VerifyReport, verify_replica
from tests.builders.s3 import TestBucket
from tests.builders.storage import complete, make_point


class Replication:
    """One pair."""

    def __init__(self, root: Path, source: Tree, target: Callable[[Catalog], Any], site: TestBucket | None) -> None:
        self._root = root
        self.source = source
        self._target = target
        self.site = site
        self._minute = 0

    @cached_property
    def catalog(self) -> Catalog:
        """The records."""
        catalog = Catalog(self._root / "catalog")
        catalog.initialise("acme", "newyork")
        return catalog

    @cached_property
    def target(self) -> Any:
        """The target."""
        return self._target(self.catalog)

    def copy(self, point: str, *, final: bool) -> CopyReport:
        """Do one pass."""
        newest = self.catalog.newest()
        base = self.catalog.manifest_path(newest.id) if newest else None
        return copy_delta(self.source, self.target, base, self.catalog.workspace(f"run of {point}"), final=final)

    def seal(self, point: str) -> CopyReport:
        """Make a point without applying it."""
        self.target.check()
        self.source.check()
        report = self.copy(point, final=True)
        workspace = self.catalog.workspace(f"run of {point}")
        staged = verify_staged(self.target, workspace)
        assert staged.damaged == ()
        drop_from_manifest(workspace, staged.framing_faults)
        complete(workspace)
        ensure_staged(self.target, workspace)
        self.target.flush(workspace)
        self._minute += 1
        self.catalog.seal(workspace, make_point(point, workspace, minute=self._minute))
        return report

    def replicate(self, point: str) -> CopyReport:
        """Make a point and apply it."""
        report = self.seal(point)
        self.target.apply(point)
        return report

    def manifest(self, point: str) -> list[Entry]:
        """Return the entries of a point."""
        return list(read_manifest(self.catalog.manifest_path(point)))

    def verify(self, point: str, *, deep: bool = True) -> VerifyReport:
        """Compare the replica with a point."""
        return verify_replica(self.target, self.catalog.manifest_path(point), deep=deep)

    def content(self) -> dict[bytes, bytes]:
        """Return the live objects."""
        assert self.site is not None
        return self.site.content()
