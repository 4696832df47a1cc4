"""The catalog: the target side's store of recovery points, beside the live replica and on its file system.

=====================  ==============================================================================
``catalog.json``       whose catalog it is; a folder without it is a mount that is not there
``workspaces/<run>/``  what a run stages; becomes the point's folder by one rename
``bin/``               workspaces that are being removed, see :mod:`incorta_provider.storage.bin`
``points/<id>/``       sealed points: ``point.json``, manifest, metadata, and the files not yet applied; of a point
                       that is being dropped ``dropped.json`` in its place
``history/<id>/``      what an apply moved out of the live replica when it left point ``<id>``
``journal/``           the apply that is under way
``live.json``          which point the live replica is
``locks/``             one file a lock
=====================  ==============================================================================

Nothing here needs Airflow, and each file of a point can be read with standard tools.

:raises PreconditionError: the catalog was never initialised, or its storage is not mounted.
:raises IntegrityError: the ``point.json`` that was asked for is damaged.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.exceptions import IntegrityError, PreconditionError
from incorta_provider.storage.bin import Bin
from incorta_provider.storage.copying.workspace import Workspace, voiding
from incorta_provider.storage.durable import sync_filesystem, sync_folder
from incorta_provider.storage.faults import target_fault
from incorta_provider.storage.file_lock import exclusive
from incorta_provider.storage.flow.throttle import alive
from incorta_provider.storage.names import folder_name
from incorta_provider.storage.records.json_file import collect_drafts, read_json, write_json

log = logging.getLogger(__name__)

POINT = "point.json"
DROPPED = "dropped.json"
"""What the record of a point is called from the moment on that it is not a point any more."""

_STAGED = "files"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Catalog:
    """The catalog in the folder ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def initialise(self, group: str, site: str) -> None:
        """Mark the folder as the catalog of a group at a site, once for all; a person does it while it is mounted.

        :raises PreconditionError: the folder above is not there, or this is another catalog; nothing was changed.
        :raises ConfigurationError: the worker may not write there.
        """
        if not self.root.parent.is_dir():
            raise PreconditionError(
                "there is no folder for the catalog", where=str(self.root.parent), fix="Mount the storage, then retry."
            )
        try:
            self.root.mkdir(mode=0o700, exist_ok=True)
            if self._identity() is None:
                write_json(self._marker, {"group": group, "site": site})
        except OSError as error:
            raise target_fault(error, str(self.root)) from None
        self.ensure_is(group, site)
        self.create()

    def ensure_is(self, group: str, site: str) -> None:
        """Refuse the catalog of another group or site: a wrong mount, or a wrong topology.

        :raises PreconditionError: names whose it is.
        """
        if (found := self.ensure_there()) != {"group": group, "site": site}:
            raise PreconditionError(
                f"this is the catalog of {found.get('group')} at {found.get('site')}, not of {group} at {site}",
                where=str(self.root),
                fix="Check what is mounted there, and the topology.",
            )

    def ensure_there(self) -> dict[str, Any]:
        """Return whose catalog it is; an empty folder below a mount that is gone looks like a new one otherwise.

        :raises PreconditionError: it is not there.
        """
        if (found := self._identity()) is None:
            raise PreconditionError(
                "the catalog is not there",
                where=str(self.root),
                fix="Is the storage mounted? That of a new group is made by `incorta-dr epoch init`.",
            )
        return found

    def create(self) -> None:
        """Make the folders; what is there stays. Only the worker's account may look inside: there are dumps in it.

        :raises ConfigurationError: the worker may not write there.
        """
        self.ensure_there()
        try:
            for folder in (self._workspaces, self._points, self.history, self.journal.parent, self._locks):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise target_fault(error, str(self.root)) from None

    def workspace(self, run_key: str) -> Workspace:
        """Return the run's workspace, made now or by a former try."""
        self.create()
        workspace = Workspace(self._workspaces / folder_name(run_key))
        try:
            workspace.create()
        except OSError as error:
            raise target_fault(error, str(workspace.root)) from None
        return workspace

    def workspaces(self) -> list[Workspace]:
        """Return the workspaces of all runs that have sealed nothing, under way or left behind."""
        return [Workspace(folder) for folder in sorted(self._workspaces.glob("*"))]

    def discard(self, run_key: str, staged: Callable[[Workspace], None] = lambda _: None) -> None:
        """Remove a run's workspace, if there is one.

        :param staged: drops what the run staged outside of the workspace: the target's ``discard``.
        :raises TransientError: a task is at work in it; nothing was removed.
        """
        home = self._workspaces / folder_name(run_key)
        if home.exists():
            self._bin.throw(home)
        self._bin.empty(staged)

    def discard_others(
        self, run_key: str, staged: Callable[[Workspace], None] = lambda _: None, *, held: str | None = None
    ) -> None:
        """Remove the workspaces of all runs but this one: what is left of runs that never sealed.

        :param held: a run that waits for a person's word, and keeps its workspace.
        :raises TransientError: a task of another run is at work in its workspace.
        """
        kept = {folder_name(key) for key in (run_key, held) if key is not None}
        for folder in self._workspaces.iterdir():
            if folder.name not in kept:
                self._bin.throw(folder)
        self._bin.empty(staged)
        collect_drafts(self.root)

    def points(self) -> list[RecoveryPoint]:
        """Return the sealed points, oldest first. One whose record is damaged is not among them: it holds up nothing.

        See :meth:`damaged`.
        """
        self.ensure_there()
        found = []
        for path in self._points.glob(f"*/{POINT}"):
            try:
                found.append(self._read(path))
            except FileNotFoundError:  # dropped at this very moment
                continue
            except IntegrityError as error:
                log.warning("%s", error)
        return sorted(found, key=lambda point: (point.opened_at, point.id))

    def damaged(self) -> dict[str, str]:
        """Return the points whose record is gone or cannot be read, by the name of the folder, each with the reason."""
        self.ensure_there()
        faults = {folder.name: self._fault(folder) for folder in sorted(self._points.glob("*"))}
        return {name: fault for name, fault in faults.items() if fault is not None}

    def newest(self) -> RecoveryPoint | None:
        """Return the newest sealed point; None when there is none yet."""
        return max(self.points(), key=lambda point: (point.opened_at, point.id), default=None)

    def get(self, point_id: str | None = None) -> RecoveryPoint:
        """Return one point, the newest unless an id is given.

        :raises PreconditionError: there is no such point, or none at all.
        """
        self.ensure_there()
        if point_id is None:
            found = self.newest()
        else:
            path = self.point_dir(point_id) / POINT
            found = self._read(path) if path.exists() else None
        if found is None:
            raise self._unknown(point_id)
        return found

    def point_dir(self, point_id: str) -> Path:
        """Return the folder of a point.

        :raises PreconditionError: the text cannot be an id; it never leads out of the catalog.
        """
        if not _ID.fullmatch(point_id):
            raise self._unknown(point_id)
        return self._points / point_id

    def manifest_path(self, point_id: str) -> Path:
        """Return the manifest of a point."""
        return Workspace(self.point_dir(point_id)).manifest

    def dump_path(self, point_id: str) -> Path:
        """Return the metadata dump of a point."""
        return Workspace(self.point_dir(point_id)).dump

    def inventory_path(self, point_id: str) -> Path:
        """Return the inventory of a point's metadata."""
        return Workspace(self.point_dir(point_id)).inventory

    def seal(self, workspace: Workspace, point: RecoveryPoint) -> RecoveryPoint:
        """Make the point exist: everything reaches the disk, then one rename. Killed before it, there is no point.

        The caller holds the workspace's lock.

        :returns: the sealed point; the one that is there already when a former try came so far.
        :raises PreconditionError: the workspace lacks a part.
        :raises IntegrityError: another run's point has this id, or the disk lost what was staged.
        """
        home = self.point_dir(point.id)
        if home.exists():
            return self._sealed_before(point)
        _ensure_complete(workspace)
        try:
            workspace.clear_passes()
            collect_drafts(workspace.root, age_seconds=0)
            write_json(workspace.root / POINT, point.model_dump(mode="json"))
            with voiding(self.workspaces):
                sync_filesystem(workspace.root)
            workspace.ensure_not_void()
            alive()
            workspace.root.rename(home)
            sync_folder(home.parent)
            sync_folder(self._workspaces)
            Workspace(home).remove_lock()
        except OSError as error:
            raise target_fault(error, str(home)) from None
        return point

    def live_point_id(self) -> str | None:
        """Return which point the live replica is; None before the first apply."""
        known = read_json(self._live)
        return None if known is None else str(known["point"])

    def set_live(self, point_id: str) -> None:
        """Write down which point the live replica is."""
        write_json(self._live, {"point": point_id})

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Hold the lock of that name while a block runs; it dies with the process.

        :raises TransientError: it is held; says by whom.
        """
        self.ensure_there()
        return exclusive(self._locks / f"{folder_name(name)}.lock", f"the catalog's lock {name!r}")

    @property
    def history(self) -> Path:
        """What applies moved out of the live replica."""
        return self.root / "history"

    @property
    def journal(self) -> Path:
        """The journal of the apply that is under way; absent when none is."""
        return self.root / "journal" / "apply.jsonl"

    @property
    def _points(self) -> Path:
        return self.root / "points"

    @property
    def _workspaces(self) -> Path:
        return self.root / "workspaces"

    @property
    def _marker(self) -> Path:
        return self.root / "catalog.json"

    @property
    def _locks(self) -> Path:
        return self.root / "locks"

    @property
    def _bin(self) -> Bin:
        return Bin(self.root / "bin", self._workspaces)

    @property
    def _live(self) -> Path:
        return self.root / "live.json"

    def _identity(self) -> dict[str, Any] | None:
        try:
            known = read_json(self._marker)
        except OSError as error:
            raise target_fault(error, str(self._marker)) from None
        return None if known is None else dict(known)

    def _sealed_before(self, point: RecoveryPoint) -> RecoveryPoint:
        known = self.get(point.id)
        if known.run_id != point.run_id:
            raise IntegrityError(
                f"recovery point {point.id} was sealed by run {known.run_id}, not by {point.run_id}",
                where=str(self.root),
                fix="Start a new run; a sealed point is never written over.",
            )
        return known

    def _read(self, path: Path) -> RecoveryPoint:
        try:
            if (found := read_json(path)) is None and not path.exists():
                raise FileNotFoundError(path)
            point = RecoveryPoint.model_validate(found)
        except ValidationError as error:
            raise _damaged(path, error.errors()[0]["msg"]) from None
        except IntegrityError as error:
            raise _damaged(path, error.what) from None
        except IsADirectoryError:
            raise _damaged(path, "it is a folder") from None
        if point.id != path.parent.name:
            raise _damaged(path, f"it is the record of {point.id}")
        return point

    def _fault(self, folder: Path) -> str | None:
        """Return what is wrong with the record of a point; None when nothing is, or when it is being dropped."""
        try:
            self._read(folder / POINT)
        except IntegrityError as error:
            return error.what
        except FileNotFoundError:
            parts = {part.name for part in folder.glob("*")}
            return None if DROPPED in parts or parts <= {_STAGED} else "its record is gone"
        return None

    def _unknown(self, point_id: str | None) -> PreconditionError:
        if point_id is not None and self.newest() is not None:
            return PreconditionError(
                f"there is no recovery point {point_id!r}",
                where=str(self.root),
                fix="Choose one that `incorta-dr status` lists.",
            )
        return PreconditionError(
            "there is no recovery point yet",
            where=str(self.root),
            fix="Let the replication DAG finish a run; it ends with the first recovery point.",
        )


def _damaged(path: Path, what: str) -> IntegrityError:
    return IntegrityError(
        f"the record of a recovery point is damaged: {what}",
        where=str(path),
        fix="Restore the file from a copy of the catalog. Until then the point does not count; nothing removes it.",
    )


def _ensure_complete(workspace: Workspace) -> None:
    parts = (workspace.manifest, workspace.dump, workspace.inventory)
    missing = [part.name for part in parts if not part.exists()]
    if missing:
        raise PreconditionError(
            f"nothing to seal: {', '.join(missing)} missing",
            where=str(workspace.root),
            fix="Clear the run's tasks from the first one on.",
        )
