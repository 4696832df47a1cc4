"""One pair of a source and a site, and the steps of replication between the two."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.copying.checks import drop_from_manifest, ensure_staged, verify_staged
from incorta_provider.storage.copying.transfer import CopyReport, copy_delta
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.target import ApplyReport, Target
from incorta_provider.storage.verify import VerifyReport, verify_replica
from tests.builders.storage import complete, make_point
from tests.contract.backends import Site, Source
from tests.contract.found import Found, Tree, contents


@dataclass
class World:
    """A source, a site, and a catalog here.

    :ivar said: how the behaviour that is tested turned out, for the table.
    """

    source: Source
    site: Site
    said: str = "equal"
    _minute: int = field(default=0, repr=False)

    @cached_property
    def catalog(self) -> Catalog:
        """The records of the site."""
        return Catalog(self.site.records)

    @cached_property
    def target(self) -> Target:
        """The provider's view of the site."""
        return self.site.target(self.catalog)

    def prepare(self) -> None:
        """Make the catalog, as a person does who begins with a group."""
        self.catalog.initialise("acme", "newyork")
        self.site.prepare(self.catalog)

    def say(self, outcome: str) -> None:
        """Put into the table: ``equal``, ``kept as …``, ``refused: …`` or ``not applicable: …``."""
        self.said = outcome

    def base(self) -> Path | None:
        """Return the newest point's manifest."""
        newest = self.catalog.newest()
        return self.catalog.manifest_path(newest.id) if newest else None

    def workspace(self, point_id: str) -> Workspace:
        """Return the workspace of the run that makes a point."""
        return self.catalog.workspace(f"run of {point_id}")

    def copy(self, point_id: str, *, final: bool) -> CopyReport:
        """Do one pass."""
        return copy_delta(self.source.tree(), self.target, self.base(), self.workspace(point_id), final=final)

    def check(self, point_id: str) -> tuple[bytes, ...]:
        """Read what was staged, leave out what is not whole, and return what is damaged."""
        report = verify_staged(self.target, self.workspace(point_id))
        drop_from_manifest(self.workspace(point_id), report.framing_faults)
        return report.damaged

    def seal(self, point_id: str) -> CopyReport:
        """Make a point of the source as it is; nothing is applied. Return what the first pass did."""
        self.target.check()
        report = self.copy(point_id, final=False)
        self.copy(point_id, final=True)
        assert self.check(point_id) == ()
        self.seal_checked(point_id)
        return report

    def seal_checked(self, point_id: str) -> None:
        """Seal what was checked."""
        workspace = self.workspace(point_id)
        complete(workspace)
        ensure_staged(self.target, workspace)
        self.target.flush(workspace)
        self._minute += 1
        self.catalog.seal(workspace, make_point(point_id, workspace, minute=self._minute))

    def replicate(self, point_id: str) -> CopyReport:
        """Make a point and roll the replica to it."""
        report = self.seal(point_id)
        self.apply(point_id)
        return report

    def apply(self, point_id: str) -> ApplyReport:
        """Roll the live replica to a point."""
        with self.catalog.lock("apply"):
            return self.target.apply(point_id)

    def verify(self, point_id: str, *, deep: bool = True) -> VerifyReport:
        """Compare the replica with a point."""
        return verify_replica(self.target, self.catalog.manifest_path(point_id), deep=deep)

    def expected(self) -> dict[bytes, Found]:
        """Return what the source has, as far as the site can keep it."""
        return self._comparable(self.source.read())

    def live(self) -> dict[bytes, Found]:
        """Return the live replica, as far as it can be compared with the source."""
        return self._comparable(self.site.read())

    def ensure_equal(self, point_id: str) -> None:
        """The replica is the source: by the means of the storage, and by the provider's own deep comparison."""
        assert self.live() == self.expected()
        assert self.verify(point_id).equal

    def live_contents(self) -> dict[bytes, bytes]:
        """Return the bytes of all files of the replica."""
        return contents(self.site.read())

    def _comparable(self, tree: Tree) -> dict[bytes, Found]:
        if not (self.source.is_posix and self.site.is_posix):
            return {path: Found("file", found.content) for path, found in tree.items() if found.kind == "file"}
        unit, modes = self.source.time_unit_ns, self.source.tells_modes_and_links
        return {path: found.told(unit, modes=modes) for path, found in tree.items()}
