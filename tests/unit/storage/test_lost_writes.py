"""A disk that refused a part of what was written says so once: from then on nobody believes in what runs staged."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, cast

import pytest

from incorta_provider.exceptions import DrError, IntegrityError, LostWritesError, PreconditionError, TransientError
from incorta_provider.storage.copying import early_flush
from incorta_provider.storage.copying import workspace as workspace_module
from incorta_provider.storage.copying.checks import verify_staged
from incorta_provider.storage.copying.early_flush import flushing_beside
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.flow.crew import Crew
from incorta_provider.storage.flow.watchdog import StalledError
from incorta_provider.storage.folders import remove_tree
from incorta_provider.storage.local.target import LocalTarget
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.mending import mend_replica
from incorta_provider.storage.verify import verify_replica
from tests.builders.disks import refuse_once
from tests.builders.storage import Pair, complete, make_pair, make_point, put


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    pair = make_pair(tmp_path / "pair")
    put(pair.source, {"a": b"1", "t/b": b"22"})
    return pair


def staged(pair: Pair) -> Workspace:
    workspace = pair.catalog.workspace("run")
    pair.copy(workspace)
    pair.copy(workspace, final=True)
    complete(workspace)
    return workspace


def ensure_copied_anew(pair: Pair, workspace: Workspace) -> None:
    """What was staged is lost: it has its size and time, and holds something else."""
    (workspace.files / "a").write_bytes(b"?")
    assert pair.copy(workspace).copied_files == 2
    pair.copy(workspace, final=True)
    complete(workspace)
    pair.catalog.seal(workspace, make_point("A", workspace))
    pair.apply("A")
    assert (pair.live / "a").read_bytes() == b"1"


def test_a_flush_that_failed_voids_what_was_staged(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = staged(pair)
    refuse_once(monkeypatch)
    with pytest.raises(LostWritesError, match="Input/output error"):
        pair.target.flush(workspace)
    pair.target.flush(workspace)
    with pytest.raises(IntegrityError, match="refused a part"):
        pair.catalog.seal(workspace, make_point("A", workspace))
    assert pair.catalog.points() == []
    ensure_copied_anew(pair, workspace)


def test_so_does_a_flush_that_fails_within_the_seal(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = staged(pair)
    refuse_once(monkeypatch)
    with pytest.raises(LostWritesError):
        pair.catalog.seal(workspace, make_point("A", workspace))
    with pytest.raises(IntegrityError, match="refused a part"):
        pair.catalog.seal(workspace, make_point("A", workspace))
    ensure_copied_anew(pair, workspace)


def test_so_does_one_beside_the_check(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = staged(pair)
    monkeypatch.setattr(early_flush, "MUCH_BYTES", 3)
    refuse_once(monkeypatch)
    with pytest.raises(LostWritesError):
        verify_staged(pair.target, workspace)
    with pytest.raises(IntegrityError, match="refused a part"):
        pair.catalog.seal(workspace, make_point("A", workspace))
    ensure_copied_anew(pair, workspace)


def test_so_does_one_beside_the_copy(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = pair.catalog.workspace("run")
    with monkeypatch.context() as much:
        much.setattr(early_flush, "MUCH_BYTES", 1)
        refuse_once(much)
        with pytest.raises(LostWritesError):
            pair.copy(workspace, final=True)
    assert workspace.is_void
    ensure_copied_anew(pair, workspace)


def test_one_flush_at_a_time_goes_beside_the_rest_of_a_copy(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = pair.catalog.workspace("run")
    monkeypatch.setattr(early_flush, "MUCH_BYTES", 2)
    goes_on, begun = threading.Event(), []

    class Target:
        label = "there"

        def flush(self, of: Workspace) -> None:
            begun.append(of)
            assert goes_on.wait(30)

    with flushing_beside(cast("Any", Target()), workspace) as staged_more:
        staged_more(1)
        assert begun == []
        for _ in range(5):
            staged_more(2)
        goes_on.set()
        while len(begun) < 2:
            staged_more(0)
    assert begun == [workspace, workspace]


def test_a_flush_that_hangs_beside_a_copy_is_not_waited_for(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early_flush, "MUCH_BYTES", 1)
    ended = threading.Event()

    class Target:
        label = "there"

        def flush(self, _: Workspace) -> None:
            ended.wait(60)

    with (
        pytest.raises(StalledError, match="not on disk after 0 s"),
        flushing_beside(cast("Any", Target()), pair.catalog.workspace("run"), 0.0) as staged_more,
    ):
        staged_more(1)
    ended.set()


def test_a_connection_that_is_cut_under_a_flush_beside_a_copy_does_not_end_the_copy(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early_flush, "MUCH_BYTES", 1)
    tried = []

    def cut(_: LocalTarget, workspace: Workspace) -> None:
        tried.append(workspace)
        raise TransientError("the connection was lost")

    monkeypatch.setattr(LocalTarget, "flush", cut)
    workspace = pair.catalog.workspace("run")
    assert pair.copy(workspace, final=True).copied_files == 2
    assert tried
    assert not workspace.is_void


def test_what_the_disk_refused_is_told_and_void_also_when_the_copy_failed(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy may have failed because what it made was removed, and may have made more of it meanwhile."""
    monkeypatch.setattr(early_flush, "MUCH_BYTES", 1)
    refuse_once(monkeypatch)
    workspace = pair.catalog.workspace("run")

    def fail() -> None:
        with flushing_beside(pair.target, workspace) as staged_more:
            staged_more(1)
            while not workspace.is_void:
                time.sleep(0.01)
            workspace.start_over()
            raise TransientError("there is no such file")

    with pytest.raises(LostWritesError):
        fail()
    assert workspace.is_void


def test_a_flush_that_had_not_begun_when_the_copy_failed_does_not_hide_why(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early_flush, "MUCH_BYTES", 1)
    monkeypatch.setattr(Crew, "_work", lambda _: None)

    def fail() -> None:
        with flushing_beside(pair.target, pair.catalog.workspace("run")) as staged_more:
            staged_more(1)
            raise ValueError("of the copy")

    with pytest.raises(ValueError, match="of the copy"):
        fail()


def test_a_pass_that_is_void_at_its_end_makes_no_point_to_be(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process is told that the disk refused a part, and has no room for a word of it."""
    workspace = pair.catalog.workspace("run")
    rename = Path.rename

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    def after_all_is_removed(draft: Path, place: Path) -> Path:
        if place == workspace.delta:
            with monkeypatch.context() as patched:
                patched.setattr(workspace_module, "write_json", full)
                workspace.void()
        return rename(draft, place)

    monkeypatch.setattr(Path, "rename", after_all_is_removed)
    with pytest.raises(DrError):
        pair.copy(workspace, final=True)


def test_little_is_left_to_the_flush_of_the_seal(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = staged(pair)
    monkeypatch.setattr(early_flush, "MUCH_BYTES", 4)
    refuse_once(monkeypatch)
    assert verify_staged(pair.target, workspace).size == 3
    with pytest.raises(LostWritesError):
        pair.target.flush(workspace)


def test_so_does_one_of_an_apply_beside_the_run(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.seal("0")
    put(pair.source, {"a": b"new", "t/b": b"new"})
    workspace = staged(pair)
    refuse_once(monkeypatch)
    with pytest.raises(LostWritesError):
        pair.apply("0")
    pair.apply("0")
    with pytest.raises(IntegrityError, match="refused a part"):
        pair.catalog.seal(workspace, make_point("A", workspace, minute=1))


def test_a_repair_does_not_take_it_for_bytes_that_are_missing(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would fetch them, apply once more, and call the replica repaired: the disk says it only once."""
    pair.seal("A")
    pair.apply("A")
    put(pair.live, {"by-hand": b"x"})
    found = verify_replica(pair.target, pair.catalog.manifest_path("A"), deep=False)
    refuse_once(monkeypatch)
    with pytest.raises(LostWritesError):
        mend_replica(pair.target, pair.catalog, "A", found, [LocalTree(pair.source)])
    assert not (pair.catalog.root / "repairs").exists()


@pytest.mark.parametrize("at_work", [False, True])
def test_a_disk_that_takes_no_word_of_it_loses_what_would_be_believed(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, at_work: bool
) -> None:
    """Also where a pass is at work and makes a file in the folder that is being removed."""
    workspace = staged(pair)
    refuse_once(monkeypatch)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    def removed(folder: bytes) -> None:
        remove_tree(folder)
        if at_work:
            raise OSError(39, "Directory not empty")

    with monkeypatch.context() as patched:
        patched.setattr(workspace_module, "write_json", full)
        patched.setattr(workspace_module, "remove_tree", removed)
        with pytest.raises(LostWritesError):
            pair.target.flush(workspace)
    with pytest.raises(PreconditionError, match=r"manifest\.parquet missing"):
        pair.catalog.seal(workspace, make_point("A"))
    workspace.create()
    ensure_copied_anew(pair, workspace)
