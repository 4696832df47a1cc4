"""What the threads of a process hold in memory, whatever a batch has."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.s3 import copiers
from incorta_provider.storage.s3.bucket import Bucket
from incorta_provider.storage.s3.copiers import FolderCopier
from incorta_provider.storage.s3.crew import THREADS, done_by_all
from incorta_provider.storage.s3.memory import Memory
from incorta_provider.storage.s3.objects import Written
from incorta_provider.storage.s3.place import Place
from incorta_provider.storage.s3.staging_log import StagingLog
from tests.builders.storage import put

MIB = 1024 * 1024


class Most:
    """How much was held at once.

    :param wanted: whoever holds some waits until so much was held, so that a slow machine comes to it too.
    """

    def __init__(self, wanted: int = 0) -> None:
        self._wanted = wanted
        self._reached = threading.Event()
        self._now = 0
        self.seen = 0
        self._lock = threading.Lock()

    @contextmanager
    def counted(self, size: int) -> Iterator[None]:
        with self._lock:
            self._now += size
            self.seen = max(self.seen, self._now)
            if self.seen >= self._wanted:
                self._reached.set()
        self._reached.wait(30)
        threading.Event().wait(0.005)
        yield
        with self._lock:
            self._now -= size


def test_the_one_that_fills_it_is_the_last_that_comes_in() -> None:
    memory, most = Memory(6 * MIB), Most()

    def work(size: int) -> int:
        with memory.holding(size), most.counted(size):
            return size

    sizes = [size * MIB for size in (4, 9, 2, 3)] * 10
    assert done_by_all(work, sizes) == sizes
    assert 4 * MIB < most.seen < 15 * MIB


def test_small_ones_are_not_counted() -> None:
    memory, together = Memory(1), threading.Barrier(THREADS, timeout=30)

    def work(size: int) -> None:
        with memory.holding(size):
            together.wait()

    done_by_all(work, [MIB] * THREADS)


def test_what_fails_holds_nothing_any_more() -> None:
    memory = Memory(2 * MIB)
    with pytest.raises(ValueError, match="damaged"), memory.holding(9 * MIB):
        raise ValueError("damaged")
    with memory.holding(9 * MIB):
        pass


@pytest.mark.parametrize("small", [4 * MIB, 0])
def test_a_batch_of_files_for_a_bucket_is_not_in_memory_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    """Whether they come from memory or by way of a file here."""
    most = Most(4 * MIB)

    def write(_: Bucket, __: bytes, body: bytes, *___: Any) -> Written:
        with most.counted(len(body)):
            return Written(b"1", "")

    monkeypatch.setattr(copiers, "put", write)
    monkeypatch.setattr(copiers, "SMALL_BYTES", small)
    monkeypatch.setattr(copiers, "_MEMORY", Memory(4 * MIB))
    put(tmp_path / "source", {f"{number:02d}": b"x" * 2 * MIB for number in range(20)})
    source = LocalTree(tmp_path / "source")
    workspace = Workspace(tmp_path / "workspace")
    workspace.create()

    class Target:
        place = Place("aws_test", "bucket")

    copier = FolderCopier(source, cast("Bucket", Target()), StagingLog(tmp_path / "logs/run/log"), workspace, None)
    assert len(copier([entry for entry in source.list() if entry.size])) == 20
    assert most.seen == 4 * MIB
