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
from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.storage.manifest.delta_file import read_delta
from incorta_provider.storage.survey.baseline import Baseline
from incorta_provider.storage.manifest.manifest_file import read_manifest
from incorta_provider.storage.copying.outcome import complete, complete_last
from incorta_provider.storage.copying.staged_index import to_line
from incorta_provider.storage.survey.survey import survey
from incorta_provider.storage.copying.workspace import Workspace

count, root = int(sys.argv[1]), Path(sys.argv[2])

class Tree:
    label = "a tree that is made up"

    def __init__(self, mtime):
        self.mtime = mtime

    def list(self, begin=b"", end=None):
        for number in range(count):
            path = b"source/SALES/ORDERS/v%07d/part-00000.parquet" % number
            yield Entry(path, Kind.FILE, number, self.mtime if number % 1000 == 0 else 1, 0o644)

def copies(files):
    with files.index.open("wb") as index:
        for entry in read_manifest(files.pending):
            copied = entry._replace(sha256=bytes(32))
            index.write(to_line(copied))
            yield [copied]

base = None
for mtime in (2, 3):
    workspace = Workspace(root.with_name(f"{root.name}-{mtime}"))
    workspace.create()
    for final in (False, True):
        files = workspace.new_pass()
        known = Baseline.of(workspace, base)
        found = survey(Tree(mtime), known, files)
        if final:
            complete_last(known, files, workspace, copies(files), list)
        else:
            pending = found.pending_files
            complete(known, files, copies(files))
        files.clear()
    base = workspace.manifest
changes = sum(1 for _ in read_delta(workspace.delta))
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(pending, changes, int(status["VmHWM"].split()[0]) // 1024)
"""


def play(count: int, folder: Path) -> tuple[int, int, int]:
    """Make two points of a tree of so many files; returns how many files the second copied and changed, and the peak.

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
def test_five_times_the_files_take_no_more_memory(tmp_path: Path) -> None:
    few, many = play(25_000, tmp_path / "few"), play(125_000, tmp_path / "many")
    assert few[:2] == (25, 25)
    assert many[:2] == (125, 125)
    assert many[2] - few[2] < 20, (few, many)
    assert many[2] < 250
