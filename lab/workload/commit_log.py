"""What the workload did, kept outside of both sites so that it survives the loss of one.

``commits.jsonl`` gets a line right after each COMMIT, forced to the disk; ``state.json`` says what is going on now.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from lab.files import write


class Phase(StrEnum):
    """What the workload is doing."""

    WAITING = "waiting"
    LOAD = "load"
    COMMIT = "commit"
    SNAPSHOTS = "snapshots"
    CLEANUP = "cleanup"
    UPLOAD = "upload"
    IDLE = "idle"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class CommitRecord:
    """One commit as the workload saw it.

    :param site: where it was committed.
    :param tables: full names of the tables that it covers.
    """

    counter: int
    committed_at: datetime
    site: str
    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CommitLog:
    """The folder with both files."""

    folder: Path

    @property
    def commits_file(self) -> Path:
        """Return the file with one line a commit."""
        return self.folder / "commits.jsonl"

    @property
    def state_file(self) -> Path:
        """Return the file that says what is going on now."""
        return self.folder / "state.json"

    def append(self, record: CommitRecord) -> None:
        """Add a commit; it is on the disk when this returns."""
        self.folder.mkdir(parents=True, exist_ok=True)
        fields = {**asdict(record), "committed_at": record.committed_at.isoformat()}
        line = json.dumps(fields, ensure_ascii=False) + "\n"
        with self.commits_file.open("a+b") as stream:
            stream.write(self._line_break(stream.tell()) + line.encode())
            stream.flush()
            os.fsync(stream.fileno())

    def commits(self) -> list[CommitRecord]:
        """Return every commit; a line that a kill cut off is no commit that anyone was told of."""
        try:
            lines = self.commits_file.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        return list(_parsed(lines))

    def say(self, phase: Phase, *, counter: int, site: str, at: datetime, detail: str = "") -> None:
        """Replace the state."""
        state = {"phase": phase, "counter": counter, "site": site, "at": at.isoformat(), "pid": os.getpid()}
        write(self.state_file, json.dumps({**state, "detail": detail}))

    def _line_break(self, size: int) -> bytes:
        """Return what separates a new line from one that a kill cut off."""
        if size == 0:
            return b""
        with self.commits_file.open("rb") as stream:
            stream.seek(-1, os.SEEK_END)
            return b"" if stream.read(1) == b"\n" else b"\n"


def _parsed(lines: Iterable[str]) -> Iterable[CommitRecord]:
    for line in lines:
        try:
            fields = json.loads(line)
        except ValueError:
            continue
        at = datetime.fromisoformat(fields["committed_at"])
        yield CommitRecord(fields["counter"], at, fields["site"], tuple(fields["tables"]))
