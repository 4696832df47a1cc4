"""A real copy with everything around it."""

from __future__ import annotations

import errno
import logging
import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from incorta_provider.dr.manifest import Entry
from incorta_provider.exceptions import TransientError
from incorta_provider.storage.copying.transfer import copy_delta
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.faults import source_fault
from incorta_provider.storage.flow import oversight, progress
from incorta_provider.storage.flow.board import Board
from incorta_provider.storage.flow.limit import Limit
from incorta_provider.storage.flow.override import Override, set_override
from incorta_provider.storage.flow.oversight import Controls, Oversight
from incorta_provider.storage.flow.progress import Total
from incorta_provider.storage.flow.record import read_records
from incorta_provider.storage.flow.throttle import Throttle
from incorta_provider.storage.flow.watchdog import StalledError
from incorta_provider.storage.local.target import LocalTarget
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.tree import Missed
from tests.builders.storage import Pair, put

KB = 1000


class Source(LocalTree):
    """A folder whose files fail, hang or call back when they are fetched; stays in this process."""

    def __init__(self, root: Path, at: dict[bytes, object]) -> None:
        super().__init__(root)
        self.at = at
        self.fetched: list[bytes] = []

    def fetch(self, entry: Entry, into: bytes) -> Entry | Missed:
        self.fetched.append(entry.path)
        what = self.at.get(entry.path)
        if isinstance(what, list) and what:
            raise what.pop(0)
        if callable(what):
            what()
        return super().fetch(entry, into)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    pair = Pair(tmp_path)
    pair.source.mkdir()
    pair.catalog.initialise("acme", "newyork")
    return pair


@pytest.fixture
def workspace(pair: Pair) -> Workspace:
    return pair.catalog.workspace("run 1")


def run_copy(pair: Pair, source: LocalTree, workspace: Workspace, **controls: float) -> object:
    target = LocalTarget(pair.live, pair.catalog)
    return copy_delta(source, target, None, workspace, final=False, controls=Controls(**controls))


def mount_failed(path: bytes) -> TransientError:
    error = source_fault(OSError(errno.EIO, os.strerror(errno.EIO)), path, "berlin")
    assert isinstance(error, TransientError)
    return error


def test_a_file_that_fails_twice_is_in_the_result_and_counted(
    pair: Pair, workspace: Workspace, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(pair.source, {f"f{number}": b"x" * 1000 for number in range(5)})
    source = Source(pair.source, {b"f3": [mount_failed(b"f3"), mount_failed(b"f3")]})
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with caplog.at_level(logging.INFO, logger=oversight.__name__):
        report = run_copy(pair, source, workspace)
    assert report.copied_files == 5
    assert source.fetched.count(b"f3") == 3
    assert (workspace.files / "f3").read_bytes() == b"x" * 1000
    assert caplog.messages[-1].startswith("copied 5 files, ")
    assert caplog.messages[-1].endswith("; 2 tried again")


def test_a_stuck_task_that_is_tried_again_copies_nothing_that_the_index_has(pair: Pair, workspace: Workspace) -> None:
    put(pair.source, {f"f{number:03d}": b"x" * 10 for number in range(200)})
    for_ever = threading.Event()
    source = Source(pair.source, {b"f150": for_ever.wait})
    with pytest.raises(StalledError, match=r"no byte moved for \d+ s; in flight: f1[345]\d and \d\d more up to f1\d\d"):
        run_copy(pair, source, workspace, stall_seconds=6)
    indexed = sum(1 for path in workspace.indexes() for _ in path.open())
    assert indexed >= 128
    again = Source(pair.source, {})
    assert run_copy(pair, again, workspace).copied_files == 200 - indexed
    assert len(set(again.fetched)) == 200 - indexed
    for_ever.set()


PROGRAM = """
import sys
from pathlib import Path
from incorta_provider.storage.flow.oversight import Controls
from incorta_provider.storage.copying.transfer import copy_delta
from tests.builders.hanging import Hangs
from tests.builders.storage import Pair
pair, controls = Pair(Path(sys.argv[1])), Controls(stall_seconds=float(sys.argv[2]))
try:
    copy_delta(Hangs(pair.source), pair.target, None, pair.catalog.workspace("run 1"), final=False, controls=controls)
except Exception as error:
    print(type(error).__name__, error.what, flush=True)
"""


@pytest.mark.parametrize(("files", "stall_seconds"), [(20, 6), (1500, 10)])
def test_a_process_ends_although_a_thread_or_a_helper_of_it_hangs(
    pair: Pair, workspace: Workspace, files: int, stall_seconds: int
) -> None:
    """Helpers need a moment to start, in which no byte moves; and a busy machine may look late."""
    put(pair.source, {**{f"a{number:04d}": b"x" for number in range(files)}, "hangs": b"y"})
    os.mkfifo(workspace.files / "pipe")
    began = time.monotonic()
    root = Path(__file__).resolve().parents[4]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(pair.root), str(stall_seconds)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert re.match(r"StalledError no byte moved for \d+ s; in flight: .*hangs", done.stdout), done.stderr[-2000:]
    assert done.returncode == 0
    assert time.monotonic() - began < 60


def test_a_limit_that_is_lifted_while_a_copy_runs_lets_it_end(pair: Pair, workspace: Workspace) -> None:
    put(pair.source, {f"f{number}": b"x" * 10 * KB for number in range(40)})
    lifted: list[int] = []
    at_limit: list[tuple[float, int]] = []

    def lift(board: Board) -> None:
        time.sleep(2.5)
        at_limit.append((time.monotonic() - began, board.counts().size))
        set_override(pair.catalog.root, None)
        lifted.append(1)

    set_override(pair.catalog.root, Override(bytes_per_second=20 * KB, by="ann", at=datetime.now(UTC)))
    seen: list[Oversight] = []
    began = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        made = Oversight.__init__

        def spy(self: Oversight, *args: object, **kwargs: object) -> None:
            made(self, *args, **kwargs)  # type: ignore[arg-type]
            seen.append(self)
            threading.Thread(target=lift, args=[self.throttle.board]).start()

        patch.setattr(Oversight, "__init__", spy)
        report = run_copy(pair, LocalTree(pair.source), workspace)
    assert report.copied_bytes == 400 * KB
    assert lifted == [1], "it did not end before the limit was lifted: 20 seconds at that speed"
    seconds, size = at_limit[0]
    assert size <= 20 * KB * (seconds + 1) + 8 * 10 * KB, "and one chunk of each worker in flight"
    assert seen[0].throttle.board.counts().size == 400 * KB


@dataclass
class Clock:
    now: float = 1000.0
    steps: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize("shard", [None, 4])
def test_how_far_it_is_stands_in_the_log_and_beside_the_copy_while_it_runs(
    pair: Pair, workspace: Workspace, clock: Clock, caplog: pytest.LogCaptureFixture, shard: int | None
) -> None:
    caplog.set_level(logging.INFO, logger=oversight.__name__)
    watched = Oversight(Total(10, 1000), Controls(), workspace, "berlin", shard=shard, clock=clock)
    with watched:
        assert [record.shard for record in read_records(workspace.root)] == ([] if shard is None else [shard])
        watched.throttle.moved(300)
        watched.throttle.board.add(files=3)
        clock.now += progress.FIRST_SECONDS
        watched.tick([])
        line = "copied 3 of 10 files, 300 B of 1.0 kB (30%); 100 B/s, 1 files/s; 0:07 left"
        assert caplog.messages == [line]
        (record,) = read_records(workspace.root)
        assert (record.files_done, record.files_total, record.bytes_done, record.bytes_total) == (3, 10, 300, 1000)
        assert (record.bytes_per_second, record.seconds_left) == (100.0, 7.0)
        assert (record.shard, record.text, record.process) == (shard, line, os.getpid())
        clock.now += 5
        watched.tick([])
        assert len(caplog.messages) == 1
    assert read_records(workspace.root) == []
    assert caplog.messages[-1] == "copied 3 files, 300 B in 0:08; 38 B/s, 0 files/s"


def test_shards_show_themselves_at_once_and_share_the_limit(pair: Pair, workspace: Workspace) -> None:
    controls = Controls(bandwidth=900)
    total = Total(1, 1)
    with (
        Oversight(total, controls, workspace, "", shard=0) as first,
        Oversight(total, controls, workspace, "", shard=11),
        Oversight(total, controls, workspace, "", shard=12),
    ):
        assert [record.shard for record in read_records(workspace.root)] == [0, 11, 12]
        assert first.throttle.share(1) == 300
    assert Throttle(Board(), Limit(pair.catalog.root, 900, workspace.root)).share(1) == 900
