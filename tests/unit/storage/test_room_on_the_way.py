"""Room for files that wait at the worker: asked before a copy begins, for all that can wait at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from incorta_provider.exceptions import PreconditionError, TransientError
from incorta_provider.storage.copying import room_on_the_way
from incorta_provider.storage.copying.free_space import RESERVE_BYTES, Room
from incorta_provider.storage.copying.room_on_the_way import ensure_room_on_the_way, most_waiting
from incorta_provider.storage.copying.work_pool import Batch, Limits
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.flow.oversight import Controls, Oversight
from incorta_provider.storage.flow.progress import Total
from incorta_provider.storage.manifest.manifest_file import ManifestWriter
from incorta_provider.storage.tree import Missed
from tests.builders.storage import file


class Spooling:
    """A copier whose files of more than ten bytes wait; two batches at once."""

    limits = Limits(workers=2, batch_bytes=100)

    def __init__(self, spooled_above: int | None = 10) -> None:
        self.spooled_above = spooled_above

    def __call__(self, batch: Batch) -> list[Missed]:
        return [Missed.VANISHED for _ in batch]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "workspaces/run")
    workspace.root.parent.mkdir()
    workspace.create()
    return workspace


def pending(workspace: Workspace, *sizes: int) -> tuple[Path, Total]:
    path = workspace.root / f"{len(sizes)}.parquet"
    with ManifestWriter(path) as writer:
        writer.extend(file(b"%04d" % number)._replace(size=size) for number, size in enumerate(sizes))
    return path, Total(len(sizes), sum(sizes))


@pytest.mark.parametrize(
    ("above", "sizes", "most"),
    [
        (10, (5000, 7, 9000, 8000, 11), 9000 + 8000 + 2 * 100),
        (10, (5000, 7), 5000),
        (10, (50, *(10,) * 99), 50),
        (10, (11,) * 999, 2 * 11 + 2 * 100),
        (10, (11, 10) * 1000, 2 * 11 + 2 * 100),
        (10, (10,) * 9, 0),
        (0, (10,) * 9, 90),
        (None, (5000, 9000), 0),
        (10, (), 0),
    ],
)
def test_the_largest_files_of_as_many_batches_as_travel_at_once_count(
    workspace: Workspace, above: int | None, sizes: tuple[int, ...], most: int
) -> None:
    assert most_waiting(Spooling(above), *pending(workspace, *sizes)) == most


@contextmanager
def overseen(workspace: Workspace, *shards: int | None) -> Iterator[list[Oversight]]:
    """Enter one copy for each shard."""
    with ExitStack() as stack:
        copies = [Oversight(Total(1, 1), Controls(), workspace, "s", shard=shard) for shard in shards]
        yield [stack.enter_context(copy) for copy in copies]


def leave(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(room_on_the_way, "room", lambda _: Room(RESERVE_BYTES + free, None))


def test_a_copy_whose_files_do_not_fit_together_is_not_begun(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = pending(workspace, 60, 40)
    with overseen(workspace, None) as (alone,):
        leave(monkeypatch, 100)
        ensure_room_on_the_way(Spooling(), *wanted, workspace, alone)
        leave(monkeypatch, 99)
        with pytest.raises(PreconditionError, match=f": 100 bytes may be .* {RESERVE_BYTES + 99} are free") as caught:
            ensure_room_on_the_way(Spooling(), *wanted, workspace, alone)
        assert caught.value.where == str(workspace.partial)
        assert not caught.value.fix.startswith("Retry")
        ensure_room_on_the_way(Spooling(None), *wanted, workspace, alone)


def test_shards_count_each_other_and_what_of_theirs_waits_already(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = pending(workspace, 6000, 4000)
    leave(monkeypatch, 19_999)
    with overseen(workspace, 0, 1) as (first, second):
        ensure_room_on_the_way(Spooling(), *wanted, workspace, first)
        with pytest.raises(TransientError, match=r"another shard now: 10000 bytes .* up to 10000 of other shards"):
            ensure_room_on_the_way(Spooling(), *wanted, workspace, second)
        (workspace.partial / "spool-batch").mkdir()
        (workspace.partial / "spool-batch/6000").write_bytes(bytes(8192))
        leave(monkeypatch, 20_000 - 8192)
        ensure_room_on_the_way(Spooling(), *wanted, workspace, second)


def test_a_shard_that_ended_counts_no_more(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = pending(workspace, 60, 40)
    leave(monkeypatch, 100)
    with overseen(workspace, 0) as (first,):
        ensure_room_on_the_way(Spooling(), *wanted, workspace, first)
    with overseen(workspace, 1) as (second,):
        ensure_room_on_the_way(Spooling(), *wanted, workspace, second)
