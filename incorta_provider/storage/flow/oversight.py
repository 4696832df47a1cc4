"""Everything around one copy that does not copy: limit, progress, record and watchdog, as one thing to plug in."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from incorta_provider.dr.manifest import Entry
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.flow.board import Board, Counts
from incorta_provider.storage.flow.limit import Limit
from incorta_provider.storage.flow.progress import Progress, Report, Total
from incorta_provider.storage.flow.record import (
    ProgressRecord,
    read_records,
    remove_record,
    this_process,
    write_record,
)
from incorta_provider.storage.flow.throttle import Throttle
from incorta_provider.storage.flow.watchdog import StalledError, Watchdog

log = logging.getLogger(__name__)

Batch = list[Entry]
LOOK_SECONDS = 0.5
STALL_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Controls:
    """What the topology says of how a copy goes on.

    :param bandwidth: bytes per second of all copies of one run together; None for no limit.
    :param stall_seconds: how long no byte may move.
    """

    bandwidth: int | None = None
    stall_seconds: float = STALL_SECONDS


class Oversight:
    """Watches one copy while it is entered.

    :param total: what is to be copied.
    :param label: the source's address, for errors.
    :param shard: which shard of the run is copied; None for all.
    :param clock: seconds that only grow.
    """

    def __init__(
        self,
        total: Total,
        controls: Controls,
        workspace: Workspace,
        label: str,
        *,
        shard: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._workspace = workspace.root
        self._shard = shard
        self._clock = clock
        self._board = Board()
        self.throttle = Throttle(self._board, Limit(workspace.catalog, controls.bandwidth, workspace.root))
        now = self._looked = clock()
        self._progress = Progress(total, now)
        self._watchdog = Watchdog(controls.stall_seconds, label, now)
        self._spool_bytes = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.callback(self._board.close)
        self._stack.enter_context(self.throttle.current())
        self._show()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, StalledError):
            self.throttle.give_up()
        elif error is None and self._total.files:
            report, seconds = self._progress.last(self._board.counts(), self._clock())
            log.info("%s", report.summary(seconds))
        remove_record(self._workspace, self._shard)
        self._stack.close()

    def reserve(self, spool_bytes: int) -> int:
        """Show the other shards how many bytes of this copy may wait at the worker; return how many of theirs may."""
        self._spool_bytes = spool_bytes
        self._show()
        records = read_records(self._workspace) if self._shard is not None else []
        return sum(record.spool_bytes for record in records if record.shard != self._shard)

    def _show(self) -> None:
        """Show the other shards at once with how many they share limit and room."""
        if self._shard is not None:
            self._write(Report(Counts(), self._total, 0.0, 0.0, None))

    def tick(self, in_flight: list[Batch]) -> None:
        """Look around; cheap enough to be called for each batch.

        :raises StalledError: no byte moved for too long.
        """
        now = self._clock()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        counts = self._board.counts()
        self._watchdog.look(counts, in_flight, now)
        if self._progress.is_due(now):
            report = self._progress.report(counts, now)
            log.info("%s", report.line())
            self._write(report)

    def _write(self, report: Report) -> None:
        host, process = this_process()
        record = ProgressRecord(
            at=datetime.now(UTC),
            host=host,
            process=process,
            shard=self._shard,
            files_done=report.done.files,
            files_total=report.total.files,
            bytes_done=report.done.size,
            bytes_total=report.total.size,
            bytes_per_second=report.bytes_per_second,
            seconds_left=report.seconds_left,
            spool_bytes=self._spool_bytes,
            text=report.line(),
        )
        with suppress(OSError):  # nobody reads it any more once the copy is done
            write_record(self._workspace, record)
