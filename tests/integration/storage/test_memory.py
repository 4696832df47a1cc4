"""Memory follows what changed, not what exists."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from pathlib import Path
from incorta_provider.dr.diff import diff
from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.storage.cursor import as_edits, layered, removals
from incorta_provider.storage.manifest_file import differing, edit, read_manifest
from incorta_provider.storage.survey import survey
from incorta_provider.storage.workspace import Workspace

count, workspace = int(sys.argv[1]), Workspace(Path(sys.argv[2]))
workspace.create()

def tree(mtime):
    for number in range(count):
        path = b"source/SALES/ORDERS/v%07d/part-00000.parquet" % number
        yield Entry(path, Kind.FILE, number, mtime if number % 1000 == 0 else 1, 0o644)

base = None
for mtime in (2, 3):
    files = workspace.new_pass()
    found = survey(tree(mtime), read_manifest(base) if base else (), (), files, carry=False)
    copied = (Entry(e.path, e.kind, e.size, e.mtime_ns, e.mode, bytes(32)) for e in read_manifest(files.pending))
    gone, known = removals(read_manifest(files.gone)), as_edits(read_manifest(files.known))
    edit(base, files.seen, layered(gone, known, as_edits(copied)))
    before, base = base, files.seen
changes = sum(1 for _ in diff(*differing(before, base)))
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(found.pending_files, changes, int(status["VmHWM"].split()[0]) // 1024)
"""


def play(count: int, folder: Path) -> tuple[int, int, int]:
    """Survey a tree of so many files twice; returns how many were pending, how many changed, and the peak in MiB.

    The peak is that of the program's own memory: ``ru_maxrss`` would start with what the starting process had.
    """
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(count), str(folder)],
        capture_output=True,
        text=True,
        timeout=280,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    pending, changes, peak = map(int, ended.stdout.split())
    return pending, changes, peak


@pytest.mark.timeout(600)
def test_ten_times_the_files_take_no_more_memory(tmp_path: Path) -> None:
    few, many = play(25_000, tmp_path / "few"), play(250_000, tmp_path / "many")
    assert few[:2] == (25, 25)
    assert many[:2] == (250, 250)
    assert many[2] - few[2] < 40, (few, many)
    assert many[2] < 250
