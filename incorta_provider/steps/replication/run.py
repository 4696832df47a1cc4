"""One run of the recovery point protocol: to which site, and what the run wrote down when it opened.

What tasks share goes through the run's workspace in the catalog, never through Airflow's database.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import AwareDatetime

from incorta_provider.coordination.group_lock import LockOwner
from incorta_provider.dr.frozen import FrozenModel
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.exceptions import DrError, PreconditionError, TransientError
from incorta_provider.steps.access import GroupAccess, SiteAccess
from incorta_provider.steps.locking import REPLICATION, lock_owner
from incorta_provider.steps.point import file_sha256
from incorta_provider.storage.adoption import Adoption
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.flow.watched import watched
from incorta_provider.storage.records.json_file import read_json, write_json

log = logging.getLogger(__name__)

R = TypeVar("R")


class RunRecord(FrozenModel):
    """What :func:`~incorta_provider.steps.replication.open.open_run` fixed for the whole run.

    :ivar opened_at: the RPO counts from here, so a retried task keeps it.
    :ivar source: the site that was active when the run opened.
    :ivar previous: the newest sealed point when the run opened; what did not change since is not read again.
    :ivar adopted: that is true of what the target holds of a common point instead, because it was active since.
    """

    run_id: str
    point_id: str
    opened_at: AwareDatetime
    source: str
    epoch: int
    previous: str | None
    adopted: bool = False
    incorta_version: str


class CheckReport(FrozenModel):
    """What the check found in order; without it nothing is sealed.

    :ivar references: how many files the metadata name; None when the topology has no queries for them.
    :ivar orphans: how many files they ought to name and do not; None likewise.
    :ivar exceptions: what the point does not hold, in words: files that were still being written and that the metadata
        do not name.
    :ivar manifest_sha256: of the manifest that was checked, and ``inventory_sha256`` of the metadata that named files.
    """

    staged_files: int
    staged_bytes: int
    references: int | None
    orphans: int | None = None
    exceptions: tuple[str, ...]
    manifest_sha256: str
    inventory_sha256: str


class Proof(FrozenModel):
    """Which dump and which inventory were found equal after a restore."""

    proven_at: AwareDatetime
    dump_sha256: str
    inventory_sha256: str


@dataclass(frozen=True)
class ReplicationRun:
    """One run from the active site to ``target``.

    :param actor: the DAG, for the lock and the ledger.
    """

    access: GroupAccess
    target: SiteAccess
    run_id: str
    actor: str

    @property
    def source(self) -> SiteAccess:
        """The site that this run replicates: the one that was active when it opened.

        :raises PreconditionError: it did not open.
        """
        return self.access.site(self.record().source)

    @cached_property
    def catalog(self) -> Catalog:
        """The target's catalog."""
        return self.target.catalog

    @cached_property
    def workspace(self) -> Workspace:
        """The run's folder for what is staged and not yet sealed."""
        return self.catalog.workspace(self.run_id)

    @property
    def lock_owner(self) -> LockOwner:
        """Who holds the group's lock while this run is under way."""
        return lock_owner(self.access, run_id=self.run_id, actor=self.actor, purpose=REPLICATION)

    def record(self) -> RunRecord:
        """Return what the run fixed when it opened.

        :raises PreconditionError: it never opened, or a later run collected its workspace.
        """
        if (record := self.recorded()) is None:
            raise PreconditionError(
                f"run {self.run_id} is not open",
                where=str(self.catalog.root),
                fix="Clear the whole run, from its first task on, or let the next run make the point.",
            )
        return record

    def recorded(self) -> RunRecord | None:
        """Return the record; None before the run opened."""
        known = read_json(self._record_path)
        return None if known is None else RunRecord.model_validate(known)

    def save(self, record: RunRecord) -> None:
        """Write the record down."""
        write_json(self._record_path, record.model_dump(mode="json"))

    def checked(self) -> CheckReport:
        """Return what the check found in order.

        :raises PreconditionError: the check has not been passed.
        """
        if (known := read_json(self.workspace.check)) is None:
            raise self._unfinished("the check has not been passed", "check")
        return CheckReport.model_validate(known)

    def save_check(self, report: CheckReport | None) -> None:
        """Write the check's report down; None makes the run unchecked again."""
        if report is None:
            self.workspace.check.unlink(missing_ok=True)
        else:
            write_json(self.workspace.check, report.model_dump(mode="json"))

    def ensure_dumped(self) -> None:
        """Refuse to go on before the metadata were dumped.

        :raises PreconditionError: they were not, or not to the end.
        """
        if not self.workspace.inventory.exists():  # what a dump writes last
            raise self._unfinished("the metadata have not been dumped", "dump")

    def proven(self) -> Proof:
        """Return what was proven.

        :raises PreconditionError: the dump was not.
        """
        if (known := read_json(self.workspace.proof)) is None:
            raise self._unfinished("the dump has not been proven", "prove")
        return Proof.model_validate(known)

    def ensure_same(self, point: RecoveryPoint) -> None:
        """Refuse a point whose files are not the ones that were checked and proven.

        :raises PreconditionError: a file is another one by now, or a step did not finish.
        """
        checked, proven = self.checked(), self.proven()
        if (checked.manifest_sha256, checked.inventory_sha256) != (point.manifest_sha256, point.inventory_sha256):
            raise self._unfinished("the check was of another manifest or inventory", "check")
        if (proven.dump_sha256, proven.inventory_sha256) != (point.dump_sha256, point.inventory_sha256):
            raise self._unfinished("the proof was of another dump or inventory", "prove")

    def save_proof(self, *, proven: bool) -> None:
        """Write down whether the dump was proven."""
        if proven:
            proof = Proof(
                proven_at=self.access.clock(),
                dump_sha256=file_sha256(self.workspace.dump),
                inventory_sha256=file_sha256(self.workspace.inventory),
            )
            write_json(self.workspace.proof, proof.model_dump(mode="json"))
        else:
            self.workspace.proof.unlink(missing_ok=True)

    def vanished(self) -> tuple[str, ...]:
        """Return which files were gone before they were ever copied, in words."""
        return tuple(read_json(self._vanished_path) or ())

    def save_vanished(self, exceptions: Sequence[str]) -> None:
        """Write down which files were gone before they were ever copied."""
        write_json(self._vanished_path, list(exceptions))

    def sealed(self) -> RecoveryPoint | None:
        """Return the point that this run sealed; None while it has not."""
        return next((point for point in reversed(self.catalog.points()) if point.run_id == self.run_id), None)

    def base_manifest(self) -> Path | None:
        """Return the manifest to compare with: of the newest sealed point, or of what the target was found to hold."""
        record = self.record()
        if record.adopted:
            return Adoption(self.catalog).manifest
        return None if record.previous is None else self.catalog.manifest_path(record.previous)

    def watched(self, what: str, label: str, work: Callable[[], R], *, at_least: float = 0) -> R:
        """Return ``work()``, unless it shows no sign of life for as long as the topology lets a copy stand still.

        :param what: is done, for the error; ``label``: where.
        :param at_least: seconds that it may be still in any case.
        :raises StalledError: a mount or a node hangs; a retry of the task goes on.
        """
        return watched(work, what, max(at_least, self.access.config.replication.stall_seconds), label)

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Frame a step that must have the workspace for itself, by its lock; a copy takes that lock pass by pass.

        :raises TransientError: a task that Airflow took for dead, or one that was cleared alone, is at work there.
        """
        with self.step(name), self.workspace.lock():
            yield

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Frame one step: its time in the log, and a line in the ledger when it makes the run void."""
        started = time.monotonic()
        try:
            yield
        except TransientError:
            raise
        except DrError as error:
            self._note_failure(name, error)
            raise
        log.info("%s took %.2f s", name, time.monotonic() - started)

    def _note_failure(self, step: str, error: DrError) -> None:
        """Tell the ledger; that it cannot be told must not hide what failed. A point that is sealed stays good."""
        try:
            event = "point.void" if self.sealed() is None else "point.step.failed"
            details = {"step": step, "error": type(error).__name__, "reason": str(error)}
            self.note(event, f"{event}:{step}", details)
        except (DrError, OSError) as reason:
            log.error("the ledger could not be told of this: %s", reason)

    def note(self, event: str, key: str, details: Mapping[str, Any]) -> None:
        """Write one line to the ledger; the same key is written once."""
        self.target.ledger.append(
            event,
            at=self.access.clock(),
            key=f"{self.run_id}:{key}",
            group=self.access.name,
            run_id=self.run_id,
            actor=self.actor,
            details=details,
        )

    def _unfinished(self, what: str, task: str) -> PreconditionError:
        fix = f"Clear the task `{task}` and what follows; marking it as success is not enough."
        return PreconditionError(what, where=f"run {self.run_id}", fix=fix)

    @property
    def _vanished_path(self) -> Path:
        return self.workspace.root / "vanished.json"

    @property
    def _record_path(self) -> Path:
        return self.workspace.root / "run.json"
