"""The live replica at a node, with its vault beside it there."""

from __future__ import annotations

import os
from typing import Any

from incorta_provider.dr.manifest import Entry, Kind, shown
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.exceptions import PreconditionError, TransientError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.names import folder_name
from incorta_provider.storage.ssh.batches import BatchCopier
from incorta_provider.storage.ssh.carriers import PushThere
from incorta_provider.storage.ssh.local_source import LocalSource
from incorta_provider.storage.ssh.spooled import SpooledBatches
from incorta_provider.storage.ssh.volume import RemoteVolume
from incorta_provider.storage.target import Copier
from incorta_provider.storage.tree import Missed, Tree
from incorta_provider.storage.volume_target import VolumeTarget

_RECORDS = b"records"


class VaultAreas:
    """The areas of a vault that is not a catalog: one a run, which stays where it is when the run is sealed."""

    staged = "staged/*"

    def of_run(self, workspace: Workspace) -> bytes:
        """Return the area of a run before its seal."""
        return b"staged/" + os.fsencode(workspace.root.name)

    def of_point(self, point: RecoveryPoint) -> bytes:
        """Return the same area after the seal."""
        return b"staged/" + os.fsencode(folder_name(point.run_id))


class SshTarget(VolumeTarget):
    """The replica at a node; its records are in ``catalog``, here."""

    volume: RemoteVolume

    def __init__(self, catalog: Catalog, volume: RemoteVolume) -> None:
        super().__init__(catalog, volume, VaultAreas())

    def initialise(self) -> None:
        """Make the vault and mark it as this catalog's, once for all; a person does it while it is mounted.

        :raises PreconditionError: its place is unfit, or it is another one's vault.
        """
        self.volume.make_vault(self._owner())
        self._ensure_ours()

    def keep_records(self, point_id: str) -> None:
        """Copy a sealed point's records and the ledger to the vault's folder ``records``, laid out as the catalog is.

        :raises TransientError: a record changed during every copy, or the node is away.
        """
        root = self.catalog.root
        files = [path for path in self.catalog.point_dir(point_id).iterdir() if path.is_file()]
        files += [path for path in (root / "catalog.json", root / "ledger.jsonl") if path.exists()]
        batch = [Entry(bytes(path.relative_to(root)), Kind.FILE, 0, 0, 0) for path in files]
        place = bytes(root)
        carrier = PushThere(place, self.volume, _RECORDS, alone=False)
        copied = BatchCopier(LocalSource(place), carrier, 1, carrier)(batch)
        missed = [entry.path for entry, outcome in zip(batch, copied, strict=True) if isinstance(outcome, Missed)]
        if missed:
            raise TransientError(
                f"{shown(missed[0])} changed during every copy", where=str(root), fix="Retry when nothing writes there."
            )
        self._sync()

    def drop_records(self, point_id: str) -> None:
        """Remove the copy of a point's records from the vault; the ledger stays."""
        self.volume.remove(_RECORDS + b"/points/" + os.fsencode(point_id))

    def check(self) -> None:
        """Refuse a vault that is not there or not ours, and a replica that cannot be made or is on another mount."""
        self._ensure_ours()
        super().check()

    def area(self, workspace: Workspace) -> bytes:
        """Return where a run's files are staged, relative to the vault."""
        return self._areas.of_run(workspace)

    def copier(self, source: Tree, workspace: Workspace, *, alone: bool = True) -> Copier:
        """Return what copies from any source, by way of a spool folder here.

        :param alone: no other process copies into this workspace.
        """
        return SpooledBatches(source, self.volume, self.area(workspace), workspace, alone=alone)

    def _ensure_ours(self) -> None:
        found, owner = self.volume.owner(), self._owner()
        if found is None:
            raise PreconditionError(
                "the vault is not there",
                where=self.volume.vault_label,
                fix="Is the storage mounted at the node? That of a new group is made by `incorta-dr epoch init`.",
            )
        if found != owner:
            raise PreconditionError(
                f"this is the vault of {found.get('group')} at {found.get('site')}, "
                f"not of {owner.get('group')} at {owner.get('site')}",
                where=self.volume.vault_label,
                fix="Check what is mounted there, and the topology.",
            )

    def _owner(self) -> dict[str, Any]:
        return self.catalog.ensure_there()
