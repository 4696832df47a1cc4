"""What each run does to the live keys of a bucket: written down before it is done, so that no crash hides a key.

A staged object is the newest version of its live key, so the bucket is not its recovery point until an apply has looked
at each key that was staged. One folder a run, in the catalog; one file for each that writes, on whatever host; a line
with the path before an object is written, and one with its version afterwards.

:raises DrError: the catalog cannot be written, see :mod:`incorta_provider.storage.faults`.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incorta_provider.dr.manifest import Entry
from incorta_provider.storage.copying.staged_index import from_text, quoted
from incorta_provider.storage.durable import sync_folder
from incorta_provider.storage.faults import translated
from incorta_provider.storage.names import folder_name

if TYPE_CHECKING:  # heavy, and of no use to a helper process
    from incorta_provider.storage.catalog import Catalog
    from incorta_provider.storage.copying.workspace import Workspace


class StagingLog:
    """The log of one run; can be pickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._file = folder / f"{folder_name(os.uname().nodename)}-{os.getpid()}-{uuid.uuid4().hex[:12]}.jsonl"
        self._torn = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle where it is."""
        return StagingLog, (self.folder,)

    @property
    def run(self) -> str:
        """The name of the run's workspace."""
        return self.folder.name

    def intend(self, paths: Iterable[bytes]) -> None:
        """Write down, on disk, that objects are about to be written."""
        self._append((f"[{quoted(path)}]\n" for path in paths), sync=True)

    def did(self, written: Iterable[Entry]) -> None:
        """Write down which versions were made."""
        lines = (f'[{quoted(entry.path)},"{(entry.version or b"").decode()}"]\n' for entry in written)
        self._append(lines, sync=False)

    def paths(self) -> set[bytes]:
        """Return all paths that the run touched, or was about to."""
        return {path for path, _ in self._lines()}

    def versions(self) -> list[tuple[bytes, bytes]]:
        """Return the versions that the run made, by their paths."""
        return [(path, version) for path, version in self._lines() if version]

    def remove(self) -> None:
        """Forget the run."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _append(self, lines: Iterable[str], *, sync: bool) -> None:
        with self._lock, translated(str(self.folder)):
            if not self._file.exists():
                self._begin()
            with self._file.open("ab") as file:
                head = "\n" if self._torn else ""  # a line that a full disk cut off must not swallow the next one
                self._torn = True
                file.write("".join((head, *lines)).encode())
                file.flush()
                if sync:
                    os.fsync(file.fileno())
            self._torn = False

    def _begin(self) -> None:
        """Make the file, so that its name survives a loss of power as its content does."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file.touch(mode=0o600)
        for folder in (self.folder, self.folder.parent, self.folder.parent.parent):
            sync_folder(folder)

    def _lines(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield path and version, empty where there was none yet; a line that a crash cut off is left out."""
        for file in sorted(self.folder.glob("*.jsonl")):
            try:
                lines = file.read_bytes().splitlines()
            except FileNotFoundError:  # an apply has looked at all of it meanwhile
                continue
            for line in lines:
                try:
                    path, *version = json.loads(line)
                except ValueError:
                    continue
                yield from_text(path), version[0].encode() if version else b""


def log_of(catalog: Catalog, workspace: Workspace) -> StagingLog:
    """Return the log of a run."""
    return StagingLog(_home(catalog) / workspace.root.name)


def all_logs(catalog: Catalog) -> list[StagingLog]:
    """Return the logs of all runs that an apply has not looked at yet."""
    home = _home(catalog)
    return [StagingLog(folder) for folder in sorted(home.iterdir())] if home.is_dir() else []


def _home(catalog: Catalog) -> Path:
    return catalog.root / "staged-in-bucket"
