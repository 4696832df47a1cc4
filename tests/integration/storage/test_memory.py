"""Memory follows what changed, not what exists.

A group of rows is written in a thread beside the making of the next one, so with groups of 16,384 rows a peak lies
anywhere within 50 MiB, whichever thread is ahead. With small groups that is two or three, and what grows with the tree
shows: each file that is kept in mind shows as much as with large ones.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from incorta_provider.storage.manifest.manifest_file import GROUP_ROWS

pytestmark = pytest.mark.timeout(600)

PROGRAM = """
import sys
from pathlib import Path
from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.storage.manifest import delta_file, manifest_file
from incorta_provider.storage.manifest.delta_file import read_delta
from incorta_provider.storage.survey.baseline import Baseline
from incorta_provider.storage.manifest.manifest_file import read_manifest
from incorta_provider.storage.copying.outcome import complete, complete_last
from incorta_provider.storage.copying.staged_index import to_line
from incorta_provider.storage.survey.survey import survey
from incorta_provider.storage.copying.workspace import Workspace

count, root = int(sys.argv[1]), Path(sys.argv[2])
manifest_file.GROUP_ROWS = delta_file.GROUP_ROWS = int(sys.argv[3])

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


FEW, MANY = 25_000, 225_000
SMALL_GROUP = 1_024
FOR_EACH_FILE = 75
"""Bytes; a third of them is for the footers of so many small groups."""


def play(count: int, folder: Path, group_rows: int = SMALL_GROUP) -> tuple[int, int, int]:
    """Make two points of a tree of so many files; returns how many files the second copied and changed, and the peak.

    The peak, in MiB, is that of the program's own memory: ``ru_maxrss`` would start with what the starting process had.
    """
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(count), str(folder), str(group_rows)],
        capture_output=True,
        text=True,
        timeout=500,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    pending, changes, peak = map(int, ended.stdout.split())
    return pending, changes, peak


def test_nine_times_the_files_take_no_more_memory(tmp_path: Path) -> None:
    few, many = play(FEW, tmp_path / "few"), play(MANY, tmp_path / "many")
    assert few[:2] == (25, 25)
    assert many[:2] == (225, 225)
    assert many[2] - few[2] < FOR_EACH_FILE * (MANY - FEW) / 2**20, (few, many)


def test_groups_of_rows_fit_into_a_worker(tmp_path: Path) -> None:
    assert play(3 * GROUP_ROWS, tmp_path / "groups", GROUP_ROWS)[2] < 250
