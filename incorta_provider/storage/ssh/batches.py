"""Bring one batch of files, and prove each of them: with rsync, few bytes as one message, long files in pieces.

Facts at the source, bytes, facts again, and then what arrived is read at the target: a file whose facts changed, or
whose bytes are not as many as they said, is tried again. What no try brought is unsettled, or gone, or it may not be
read, which is found by trying to.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from incorta_provider.dr.manifest import Entry, Kind, shown
from incorta_provider.exceptions import TransientError
from incorta_provider.storage.copying.work_pool import Batch, Limits
from incorta_provider.storage.flow.throttle import alive, share
from incorta_provider.storage.ssh import rsync
from incorta_provider.storage.ssh.facts import Facts, State
from incorta_provider.storage.ssh.long_files import LongFiles, PieceCarrier
from incorta_provider.storage.ssh.packed import PACKED_BYTES, Packed
from incorta_provider.storage.ssh.pieces import LONG_BYTES
from incorta_provider.storage.ssh.rsync_commands import Handling
from incorta_provider.storage.tree import Missed

log = logging.getLogger(__name__)

_PAUSES = (0.0, 0.05, 0.25)
"""Seconds before each try: a writer in the middle of a file needs a moment."""

_RETRY_PAUSES = (1.0, 5.0)

_BESIDE = 2
"""Batches that are looked at, or read at the target, while others have all the lines."""

_BATCH_SECONDS = 10
"""About so long a batch keeps the rate that it began with, when the limit is changed meanwhile."""

_WELL = rsync.Ended(0, "")

LIMITS = Limits(batch_files=2_000, batch_bytes=16 * 1024 * 1024, least_files=200, helpers_from=None)
"""A start of rsync takes some round trips; a batch should take longer, and yet there should be one for each line."""


def limits_for(streams: int, *, workers: int) -> Limits:
    """Return the limits of a copy: an rsync keeps the rate that it began with, so a low limit makes small batches."""
    rate = share(streams)
    most = LIMITS.batch_bytes if rate is None else min(LIMITS.batch_bytes, rate * _BATCH_SECONDS)
    return replace(LIMITS, workers=workers, batch_bytes=most)


class Source(Protocol):
    """The side that files come from."""

    def facts(self, paths: Sequence[bytes], *, rest: bool) -> list[Facts]:
        """Return what its file system knows."""

    def packed(self, paths: Sequence[bytes]) -> list[Packed]:
        """Return what small files hold."""

    def ensure_readable(self, paths: Sequence[bytes]) -> None:
        """Refuse files that may not be read."""


class Carrier(PieceCarrier, Protocol):
    """What runs rsync or brings pieces, and takes in what came."""

    place: str

    def bring(self, paths: Sequence[bytes], handling: Handling) -> tuple[bytes, rsync.Ended]:
        """Run one rsync to its end; return the folder that it wrote to."""

    def take_in(self, incoming: bytes, entries: Sequence[Entry]) -> list[bytes | None]:
        """Take files into the staging area and return their digests; None for one that is not there as it should be.

        The folder is gone afterwards.
        """


class PackedTaker(Protocol):
    """What takes in files whose bytes pass this worker."""

    def take_packed(self, entries: Sequence[Entry], contents: Sequence[bytes]) -> list[bytes | None]:
        """Take files into the staging area and return their digests; None for one that is not there as it should be."""


class BatchCopier:
    """Copies batches from a source by a carrier; for many threads.

    :param streams: how many rsyncs may run at the same time.
    :param taker: for batches of few bytes; None where the bytes do not pass this worker.
    """

    spooled_above = None

    def __init__(self, source: Source, carrier: Carrier, streams: int, taker: PackedTaker | None = None) -> None:
        self.limits = limits_for(streams, workers=streams + _BESIDE)
        self._lines = threading.Semaphore(streams)
        self._source = source
        self._carrier = carrier
        self._taker = taker
        self._long = LongFiles(carrier, self._lines, streams)

    def __call__(self, batch: Batch) -> list[Entry | Missed]:
        """Copy a batch of files and return what came of each."""
        outcomes: dict[bytes, Entry | Missed] = {}
        paths = [entry.path for entry in batch]
        packed = sum(entry.size for entry in batch) <= PACKED_BYTES
        for pause in _PAUSES:
            time.sleep(pause)
            outcomes.update(zip(paths, self._patiently(paths, packed=packed), strict=True))
            paths = [path for path in paths if outcomes[path] is Missed.UNSETTLED]
            if not paths:
                break
        return [outcomes[entry.path] for entry in batch]

    def _patiently(self, paths: Sequence[bytes], *, packed: bool) -> list[Entry | Missed]:
        """Try the whole batch again when a connection is lost: a login for each single file would take ages."""
        for pause in _RETRY_PAUSES:
            try:
                return self._try(paths, packed=packed)
            except TransientError as error:
                log.warning("a batch of %d files is tried again: %s", len(paths), error)
                alive()
                time.sleep(pause)
        return self._try(paths, packed=packed)

    def _try(self, paths: Sequence[bytes], *, packed: bool) -> list[Entry | Missed]:
        if not packed or self._taker is None:
            return self._brought(paths)
        outcomes = self._packed(paths, self._taker)
        if rest := [path for path in paths if path not in outcomes]:
            outcomes.update(zip(rest, self._brought(rest), strict=True))
        return [outcomes[path] for path in paths]

    def _packed(self, paths: Sequence[bytes], taker: PackedTaker) -> dict[bytes, Entry | Missed]:
        """Bring files packed; return what came of each, but those that must come another way."""
        with self._lines:
            found = dict(zip(paths, self._source.packed(paths), strict=True))
            whole = {path: file.content for path, file in found.items() if file.content is not None and file.is_whole}
            digests_of = {path: hashlib.sha256(content).digest() for path, content in whole.items()}
            entries = [_entry(path, found[path].before)._replace(sha256=digests_of[path]) for path in whole]
            digests = taker.take_packed(entries, list(whole.values())) if entries else []
        self._explain([entry.path for entry, digest in zip(entries, digests, strict=True) if not digest], _WELL)
        outcomes: dict[bytes, Entry | Missed] = {
            path: Missed.VANISHED if file.before.state == State.GONE else Missed.UNSETTLED
            for path, file in found.items()
            if not file.is_left
        }
        arrived = zip(entries, digests, strict=True)
        return outcomes | {entry.path: entry._replace(sha256=digest) for entry, digest in arrived}

    def _brought(self, paths: Sequence[bytes]) -> list[Entry | Missed]:
        before = dict(zip(paths, self._source.facts(paths, rest=True), strict=True))
        copied: dict[bytes, Entry] = {}
        for handling in (Handling.FAST, Handling.SPARSE):
            has_holes = handling is Handling.SPARSE
            found = [path for path in paths if before[path].is_to_be_brought(has_holes=has_holes)]
            long = [] if has_holes else [path for path in found if before[path].size >= LONG_BYTES]
            for path in long:
                copied |= self._taken_in([path], before, *self._long.bring(path, before[path]))
            if rest := [path for path in found if path not in long]:
                copied |= self._taken_in(rest, before, *self._bring(rest, handling))
        return [
            copied.get(path) or (Missed.VANISHED if before[path].state == State.GONE else Missed.UNSETTLED)
            for path in paths
        ]

    def _bring(self, paths: Sequence[bytes], handling: Handling) -> tuple[bytes, rsync.Ended]:
        with self._lines:
            incoming, ended = self._carrier.bring(paths, handling)
            if ended.status == rsync.PARTIAL and handling is Handling.FAST:
                incoming, ended = self._carrier.bring(paths, Handling.CAREFUL)
        return incoming, ended

    def _taken_in(
        self, paths: Sequence[bytes], before: dict[bytes, Facts], incoming: bytes, ended: rsync.Ended
    ) -> dict[bytes, Entry]:
        """Return what arrived whole and did not change meanwhile."""
        rsync.ensure_ended_well(ended, self._carrier.place)
        after = dict(zip(paths, self._source.facts(paths, rest=False), strict=True))
        settled = [_entry(path, before[path]) for path in paths if before[path].is_same_file(after[path])]
        digests = self._carrier.take_in(incoming, settled)
        arrived = {
            entry.path: entry._replace(sha256=digest)
            for entry, digest in zip(settled, digests, strict=True)
            if digest is not None
        }
        self._explain([entry.path for entry in settled if entry.path not in arrived], ended)
        return arrived

    def _explain(self, missing: Sequence[bytes], ended: rsync.Ended) -> None:
        """Raise what kept rsync from bringing files that did not change; one that it only missed is tried again."""
        if not missing:
            return
        self._source.ensure_readable(missing)
        if ended.status:
            raise rsync.fault(ended, self._carrier.place)
        raise TransientError(
            f"{shown(missing[0])} was copied, but is not complete at the target",
            where=self._carrier.place,
            fix="Look at the disk of the target, then retry.",
        )


def _entry(path: bytes, facts: Facts) -> Entry:
    return Entry(path, Kind.FILE, facts.size, facts.mtime_ns, facts.mode)
