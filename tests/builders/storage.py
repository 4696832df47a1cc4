"""Small trees, sites and recovery points for the tests of storage."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.copying.transfer import CopyReport, copy_delta
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.local.target import LocalTarget
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.manifest.manifest_file import read_totals
from incorta_provider.storage.target import ApplyReport

EPOCH = datetime(2026, 11, 25, 3, 4, 5, tzinfo=UTC)
NS = 1_700_000_000_123_456_789

HOSTILE_NAMES = (
    b"new\nline",
    b"quote'\"`",
    b"semi;colon && rm -rf $HOME | *?",
    b"-rf",
    b"--delete",
    "\u00e9".encode(),
    "e\u0301".encode(),
    b"not-utf8-\xff\xfe",
    b"tab\tand\\backslash",
    b" leading and trailing ",
    b"..hidden",
    b"...",
    b"~",
    b"%2e%2e%2f",
    "表🙂".encode(),
    b"carriage\rreturn",
    b"bell\x07and-\x01",
    b"n" * 255,
)
"""Names that a file may have and that careless code stumbles over; both unicode forms of one letter are two names."""


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """Lend a folder in memory where there is one: on a disk each of many syncs waits for all that others write."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        yield Path(name)


def file(path: bytes, content: bytes = b"x", *, mtime_ns: int = NS, mode: int = 0o644) -> Entry:
    """Return a file's entry with its digest."""
    return Entry(path, Kind.FILE, len(content), mtime_ns, mode, hashlib.sha256(content).digest())


def listed(entry: Entry) -> Entry:
    """Return an entry as a listing shows it: without its digest."""
    return Entry(entry.path, entry.kind, entry.size, entry.mtime_ns, entry.mode, None, entry.link_target)


def folder(path: bytes, *, mtime_ns: int = NS, mode: int = 0o755) -> Entry:
    """Return a folder's entry."""
    return Entry(path, Kind.DIR, 0, mtime_ns, mode)


def link(path: bytes, target: bytes) -> Entry:
    """Return a symbolic link's entry."""
    return Entry(path, Kind.LINK, 0, NS, 0o777, link_target=target)


def put(root: Path, files: Mapping[str | bytes, bytes | None]) -> None:
    """Write files below ``root``, with the folders they need; None makes an empty folder."""
    for name, content in files.items():
        path = Path(os.fsdecode(os.fsencode(root) + b"/" + os.fsencode(name)))
        (path if content is None else path.parent).mkdir(parents=True, exist_ok=True)
        if content is not None:
            path.write_bytes(content)


def snapshot(root: Path, *, times: bool = False) -> dict[bytes, tuple[object, ...]]:
    """Return everything below ``root``: what it is, its mode and what it holds; file times on demand."""
    found: dict[bytes, tuple[object, ...]] = {}
    for at, folders, names in os.walk(os.fsencode(root)):
        for name in (*folders, *names):
            path = at + b"/" + name
            facts = os.lstat(path)
            key = path[len(os.fsencode(root)) + 1 :]
            mode = stat.S_IMODE(facts.st_mode)
            if stat.S_ISLNK(facts.st_mode):
                found[key] = ("link", os.fsencode(Path(os.fsdecode(path)).readlink()))
            elif stat.S_ISDIR(facts.st_mode):
                found[key] = ("dir", mode)
            else:
                content = Path(os.fsdecode(path)).read_bytes()
                found[key] = ("file", mode, content, facts.st_mtime_ns if times else None)
    return found


def complete(workspace: Workspace) -> None:
    """Write the parts of a point that are not storage's."""
    workspace.dump.write_bytes(b"dump")
    workspace.inventory.write_bytes(b"{}")


def make_point(point_id: str, workspace: Workspace | None = None, *, minute: int = 0) -> RecoveryPoint:
    """Return a point as the seal step would describe it."""
    totals = read_totals(workspace.manifest) if workspace and workspace.manifest.exists() else None
    opened_at = EPOCH + timedelta(minutes=minute)
    return RecoveryPoint(
        id=point_id,
        group="acme",
        source="berlin",
        target="newyork",
        epoch=1,
        run_id=f"run of {point_id}",
        opened_at=opened_at,
        sealed_at=opened_at + timedelta(seconds=30),
        previous=None,
        files=totals.files if totals else 0,
        bytes=totals.bytes if totals else 0,
        copied_files=0,
        copied_bytes=0,
        tables=1,
        rows=1,
        references=None,
        manifest_sha256="0" * 64,
        dump_sha256="0" * 64,
        inventory_sha256="0" * 64,
        position="binlog.000001:4",
        server_version="10.11",
        incorta_version="2024.7",
    )


@dataclass(frozen=True)
class Pair:
    """A source, and a target with its catalog and its live replica, below one folder."""

    root: Path

    @property
    def source(self) -> Path:
        return self.root / "source"

    @property
    def live(self) -> Path:
        return self.root / "live"

    @property
    def catalog(self) -> Catalog:
        return Catalog(self.root / "catalog")

    @property
    def tree(self) -> LocalTree:
        return LocalTree(self.source)

    @property
    def target(self) -> LocalTarget:
        return LocalTarget(self.live, self.catalog)

    def base(self) -> Path | None:
        """Return the newest point's manifest."""
        newest = self.catalog.newest()
        return self.catalog.manifest_path(newest.id) if newest else None

    def copy(self, workspace: Workspace, *, final: bool = False, immutable: Sequence[str] = ()) -> CopyReport:
        """Do one pass."""
        return copy_delta(self.tree, self.target, self.base(), workspace, final=final, immutable=immutable)

    def seal(self, point_id: str, *, minute: int = 0) -> Workspace:
        """Copy the source as it is and seal it; nothing is applied."""
        workspace = self.catalog.workspace(f"run of {point_id}")
        self.copy(workspace)
        self.copy(workspace, final=True)
        complete(workspace)
        self.catalog.seal(workspace, make_point(point_id, workspace, minute=minute))
        return workspace

    def apply(self, point_id: str) -> ApplyReport:
        """Roll the live replica to a point."""
        return self.target.apply(point_id)


def make_pair(root: Path) -> Pair:
    """Make the folders of a pair."""
    pair = Pair(root)
    pair.source.mkdir(parents=True)
    pair.catalog.initialise("acme", "newyork")
    return pair


NOBODY = 65534

_AS_NOBODY = """
import os, sys, traceback, linecache
from pathlib import Path
from tests.builders.storage import *
from incorta_provider.dr.manifest import shown
from incorta_provider.exceptions import DrError
shown(b"\\n")
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
root = Path(sys.argv[1])
try:
    {program}
except DrError as error:
    print(type(error).__name__ + ": " + error.what)
"""


def run_as_nobody(program: str, root: Path) -> str:
    """Run one statement as a user without special rights, with ``root`` at hand, and return what it prints.

    Root may read everything, so that a missing right can only be seen by another user. The change of user comes behind
    the imports: that user may not be allowed to read this Python.
    """
    ended = subprocess.run(
        [sys.executable, "-c", _AS_NOBODY.format(program=program), str(root)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    return ended.stdout + ended.stderr


@contextmanager
def folder_for_nobody() -> Iterator[Path]:
    """Lend an empty folder that a user without special rights can reach and owns."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(root, NOBODY, NOBODY)
        yield root


def give_to_nobody(root: Path) -> None:
    """Make the user without special rights the owner of everything below ``root``, when we can."""
    if os.geteuid() == 0:
        for at, folders, names in os.walk(root):
            for name in (at, *(f"{at}/{name}" for name in (*folders, *names))):
                os.chown(name, NOBODY, NOBODY, follow_symlinks=False)
