"""The recovery point: one joint state of shared storage and metadata that can be promoted."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from pydantic import AwareDatetime, Field

from incorta_provider.dr.frozen import FrozenModel


class RecoveryPoint(FrozenModel):
    """What ``point.json`` holds: written last, and its existence is the seal.

    Sizes are bytes, durations seconds, times aware, digests SHA-256 in hex.

    :ivar id: from :func:`point_id`; a name of folders and files in the catalog.
    :ivar source: the site that was copied, active under ``epoch``; ``target`` holds the copy.
    :ivar run_id: the Airflow run that made the point.
    :ivar opened_at: when the run began: the point holds at least everything that was there then, so the RPO counts
        from here. ``sealed_at`` is when the point became valid.
    :ivar previous: the id of the newest point when the run began; None for the first.
    :ivar files: all files of the point, ``bytes`` together; ``copied_files`` and ``copied_bytes`` are those that this
        run brought over.
    :ivar references: how many files the metadata name; None when the topology has no queries for them.
    :ivar position: of the metadata's snapshot in the source's binary log, ``file:offset``; empty without a snapshot.
    :ivar server_version: of the source's database server, and ``incorta_version`` of Incorta there.
    :ivar exceptions: what the point lacks or a person should know about it, one sentence each.
    """

    id: str
    group: str
    source: str
    target: str
    epoch: int
    run_id: str
    opened_at: AwareDatetime
    sealed_at: AwareDatetime
    previous: str | None
    files: int
    bytes: int
    copied_files: int
    copied_bytes: int
    tables: int
    rows: int
    references: int | None
    manifest_sha256: str
    dump_sha256: str
    inventory_sha256: str
    position: str
    server_version: str
    incorta_version: str
    exceptions: tuple[str, ...] = Field(default=())

    def age(self, now: datetime) -> float:
        """Return the RPO that this point gives at ``now``, in seconds: counted from the start of its sync."""
        return (now - self.opened_at).total_seconds()

    def summary(self) -> str:
        """Return the one line that stands on the run."""
        exceptions = f", {len(self.exceptions)} exception(s)" if self.exceptions else ""
        return (
            f"recovery point {self.id}: {self.files} files ({self.bytes} bytes), {self.tables} tables, "
            f"{self.rows} rows, epoch {self.epoch}; copied {self.copied_files} files ({self.copied_bytes} bytes) in "
            f"{(self.sealed_at - self.opened_at).total_seconds():.1f} s{exceptions}"
        )


def point_id(opened_at: datetime, run_id: str) -> str:
    """Return the id of the point that ``run_id`` opened: sorts by time, and the same run gets the same id.

    >>> point_id(datetime(2026, 11, 25, 3, 4, 5, tzinfo=UTC), "scheduled__1")
    '20261125T030405Z-55d41569'
    """
    digest = hashlib.sha256(run_id.encode()).hexdigest()[:8]
    return f"{opened_at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{digest}"
