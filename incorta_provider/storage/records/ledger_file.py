"""The ledger as a file of JSON lines in the catalog.

An entry is acknowledged once its line and the newline are on disk. A line that a crash cut short was never
acknowledged: the next append removes it. One writer at a time, by a lock on the file itself.

A damaged line holds up no step: the next entries are chained to its bytes as they are, and `verify` keeps telling it.

:raises IntegrityError: a line that is to be read back is not a ledger entry.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from incorta_provider.dr.ledger import LedgerEntry, chained, chained_to_damage, faults, parse_line
from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.durable import sync_folder

log = logging.getLogger(__name__)

TAIL_BYTES = 4 * 1024 * 1024
"""How far back an append looks for its own key: some thousand lines, far more than one run writes."""


class LedgerFile:
    """The ledger of one catalog."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(
        self,
        event: str,
        *,
        at: datetime,
        key: str,
        group: str,
        run_id: str,
        actor: str,
        details: Mapping[str, Any],
    ) -> LedgerEntry:
        """Write one entry and return it; the entry that already carries ``key`` when there is one."""
        with self._locked() as file:
            lines = _tail(file)
            entry = _with_key(lines, key)
            if entry is None:
                by = {"at": at, "group": group, "run_id": run_id, "actor": actor}
                added = _following(lines, by, {"event": event, "key": key, "details": details})
                file.write(b"".join(each.to_line().encode() + b"\n" for each in added))
                file.flush()
                entry = added[-1]
            os.fsync(file.fileno())  # a line that is there already, too: its writer may have died before this call
            if not lines:
                sync_folder(self.path.parent)
            return entry

    def recent(self, count: int) -> list[LedgerEntry]:
        """Return the last ``count`` entries, oldest first."""
        return [self._parsed(line) for line in deque(self.lines(), maxlen=count)]

    def entries(self) -> Iterator[LedgerEntry]:
        """Yield the entries, oldest first; a line that was cut short by a crash is passed over."""
        for line in self.lines():
            yield self._parsed(line)

    def faults(self) -> list[str]:
        """Return what is wrong with the chain; empty when it is whole."""
        return faults(self.lines())

    def lines(self) -> Iterator[str]:
        """Yield the acknowledged lines as they are, without the newline."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield _text(line[:-1])

    def _parsed(self, line: str) -> LedgerEntry:
        try:
            return parse_line(line)
        except ValueError:
            raise IntegrityError(
                f"a line of the ledger is not an entry: {line[:60]!r}",
                where=str(self.path),
                fix="Run `incorta-dr ledger verify`; restore the ledger from its copy before any new run.",
            ) from None

    @contextmanager
    def _locked(self) -> Iterator[IO[bytes]]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file


def _tail(file: IO[bytes]) -> list[bytes]:
    """Return whole lines from the end of the file, at least one unless there is none; cut off what a crash left."""
    size, reach = file.seek(0, os.SEEK_END), TAIL_BYTES
    while True:
        start = file.seek(max(0, size - reach))
        tail = file.read()
        first = tail.find(b"\n") + 1 if start else 0
        end = tail.rfind(b"\n") + 1
        if first < end or not start:
            break
        reach *= 2
    if end < len(tail):
        file.truncate(start + end)
    return tail[first:end].split(b"\n")[:-1]


def _with_key(lines: Sequence[bytes], key: str) -> LedgerEntry | None:
    """Return the newest of the lines with that key; a damaged line has none, and `verify` reports it."""
    written = json.dumps(key, ensure_ascii=False).encode(errors="backslashreplace")
    for line in reversed(lines):
        if written in line:
            with suppress(ValueError):
                entry = parse_line(_text(line))
                if entry.key == key:
                    return entry
    return None


def _following(lines: Sequence[bytes], by: Mapping[str, Any], event: Mapping[str, Any]) -> list[LedgerEntry]:
    """Return what to write after the lines: the entry, and before it one that binds a damaged end."""
    last, damage = _newest_whole(lines), []
    if lines and not _is_whole(lines[-1]):
        last = chained_to_damage(last, _text(lines[-1]), **by)
        damage = [last]
        log.warning("the last line of the ledger is damaged; run `incorta-dr ledger verify`")
    return [*damage, chained(last, **by, **event)]


def _newest_whole(lines: Sequence[bytes]) -> LedgerEntry | None:
    for line in reversed(lines):
        with suppress(ValueError):
            return parse_line(_text(line))
    return None


def _is_whole(line: bytes) -> bool:
    return _newest_whole([line]) is not None


def _text(line: bytes) -> str:
    """Bytes that are not UTF-8 become surrogates, which no line of ours holds: they never pass as what was written."""
    return line.decode(errors="surrogateescape")
