"""Passes over a source: what is copied, what is kept, and what stops them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from incorta_provider.dr.manifest import Entry
from incorta_provider.exceptions import PreconditionError, TransientError
from incorta_provider.storage.copying import free_space, transfer
from incorta_provider.storage.copying.proven import Proven
from incorta_provider.storage.copying.staged_index import newest
from incorta_provider.storage.copying.staging import Staging
from incorta_provider.storage.copying.transfer import copy_delta
from incorta_provider.storage.copying.work_pool import Limits
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.local import copy as local_copy
from incorta_provider.storage.local import target as local_target
from incorta_provider.storage.local.beneath import Beneath
from incorta_provider.storage.local.copy import copy_from
from incorta_provider.storage.manifest.manifest_file import read_manifest
from incorta_provider.storage.tree import Missed
from tests.builders.handles import open_handles
from tests.builders.storage import HOSTILE_NAMES, Pair, folder_for_nobody, give_to_nobody, make_pair, put, run_as_nobody


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path / "pair")


@pytest.fixture
def workspace(pair: Pair) -> Workspace:
    return pair.catalog.workspace("run")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_copy, "_PAUSES", (0,))


def names(manifest: Path) -> list[str]:
    return [os.fsdecode(entry.path) for entry in read_manifest(manifest)]


def before_each_copy(monkeypatch: pytest.MonkeyPatch, act: Callable[[bytes], None]) -> None:
    """Call ``act`` with a file's path before it is copied."""

    def acting(below: Beneath, entry: Entry, into: bytes) -> Proven | Missed:
        act(entry.path)
        return copy_from(below, entry, into)

    monkeypatch.setattr(local_target, "copy_from", acting)


def test_everything_is_staged_with_its_digest_and_described(pair: Pair, workspace: Workspace) -> None:
    put(pair.source, {"a/x": b"1", "a/empty": None, "b": b"22"})
    (pair.source / "a" / "link").symlink_to("x")
    report = pair.copy(workspace, final=True)
    assert names(workspace.manifest) == ["a", "a/empty", "a/link", "a/x", "b"]
    assert (workspace.files / "a" / "x").read_bytes() == b"1"
    assert (workspace.files / "b").read_bytes() == b"22"
    assert sorted(path.name for path in workspace.files.rglob("*")) == ["a", "b", "x"]
    assert (report.listed, report.copied_files, report.copied_bytes, report.reused) == (5, 2, 3, 0)
    assert (report.vanished, report.unsettled, report.carried) == ((), (), 0)


def test_a_copy_leaves_nothing_open(pair: Pair) -> None:
    put(pair.source, {"a": b"aa"})
    pair.copy(pair.catalog.workspace("first"), final=False)
    before = open_handles()
    pair.copy(pair.catalog.workspace("second"), final=False)
    assert open_handles() - before == set()


def test_hostile_names_travel_byte_by_byte(pair: Pair, workspace: Workspace) -> None:
    put(pair.source, {name + b"/" + name: name for name in HOSTILE_NAMES})
    pair.copy(workspace, final=True)
    files = {entry.path: entry for entry in read_manifest(workspace.manifest) if entry.kind == "file"}
    assert set(files) == {name + b"/" + name for name in HOSTILE_NAMES}
    assert {os.fsencode(path.name) for path in workspace.files.iterdir()} == set(HOSTILE_NAMES)


def test_a_second_pass_copies_only_what_changed(pair: Pair, workspace: Workspace) -> None:
    put(pair.source, {"a": b"1", "b": b"2"})
    pair.copy(workspace)
    put(pair.source, {"b": b"two", "c": b"3"})
    report = pair.copy(workspace, final=True)
    assert (report.copied_files, report.copied_bytes, report.reused) == (2, 4, 1)
    assert (workspace.files / "b").read_bytes() == b"two"
    assert names(workspace.manifest) == ["a", "b", "c"]


def test_what_the_point_before_has_is_not_copied_again(pair: Pair) -> None:
    put(pair.source, {"a": b"1", "b": b"2", "gone": b"3"})
    pair.seal("P1")
    put(pair.source, {"c": b"4"})
    (pair.source / "gone").unlink()
    workspace = pair.catalog.workspace("next")
    report = pair.copy(workspace, final=True)
    assert (report.copied_files, report.reused) == (1, 2)
    assert names(workspace.manifest) == ["a", "b", "c"]
    assert sorted(path.name for path in workspace.files.iterdir()) == ["c"]


def test_a_file_that_the_source_lost_since_the_pre_copy_is_kept(pair: Pair, workspace: Workspace) -> None:
    """The metadata that were dumped in between may name it; a cleanup job does not wait for us."""
    put(pair.source, {"t/v1/old": b"1", "t/v2/new": b"2"})
    pair.copy(workspace)
    shutil.rmtree(pair.source / "t" / "v1")
    report = pair.copy(workspace, final=True)
    assert names(workspace.manifest) == ["t", "t/v1", "t/v1/old", "t/v2", "t/v2/new"]
    assert report.carried == 1


def test_deletes_are_not_put_off_for_ever(pair: Pair) -> None:
    """B43: carried once, for the metadata of this run; the next run does not see it, and forgets it."""
    put(pair.source, {"a": b"1", "b": b"2"})
    pair.seal("P1")
    workspace = pair.catalog.workspace("second")
    pair.copy(workspace)
    (pair.source / "a").unlink()
    pair.copy(workspace, final=True)
    assert names(workspace.manifest) == ["a", "b"]
    third = pair.catalog.workspace("third")
    pair.copy(third, final=True)
    assert names(third.manifest) == ["b"]


def test_a_file_that_vanishes_before_its_copy_is_no_error(
    pair: Pair, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(pair.source, {"a": b"1", "b": b"2", "c": b"3"})
    before_each_copy(monkeypatch, lambda path: (pair.source / "b").unlink(missing_ok=True))
    report = pair.copy(workspace, final=True)
    assert report.vanished == (b"b",)
    assert names(workspace.manifest) == ["a", "c"]
    assert workspace.left_out() == []


def test_a_changed_file_that_vanishes_before_its_copy_stays_as_it_was_copied_before(
    pair: Pair, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(pair.source, {"a": b"1"})
    pair.copy(workspace)
    put(pair.source, {"a": b"changed", "b": b"2"})
    before_each_copy(monkeypatch, lambda path: (pair.source / "a").unlink(missing_ok=True))
    report = pair.copy(workspace, final=True)
    assert report.vanished == ()
    assert names(workspace.manifest) == ["a", "b"]
    assert (workspace.files / "a").read_bytes() == b"1"
    assert next(read_manifest(workspace.manifest)).size == 1


def growing(root: Path) -> Callable[[int, list[memoryview]], int]:
    """Return a read that finds the file ``growing`` longer each time."""
    readv = os.readv

    def read(handle: int, buffers: list[memoryview]) -> int:
        if Path(f"/proc/self/fd/{handle}").readlink() == root / "growing":
            with (root / "growing").open("ab") as file:
                file.write(b"more")
        return readv(handle, buffers)

    return read


def test_a_file_that_keeps_changing_is_left_out_and_named(
    pair: Pair, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(pair.source, {"a": b"1", "growing": b"2"})
    monkeypatch.setattr(os, "readv", growing(pair.source))
    assert pair.copy(workspace).unsettled == (b"growing",)
    report = pair.copy(workspace, final=True)
    assert report.unsettled == (b"growing",)
    assert workspace.left_out() == [b"growing"]
    assert names(workspace.manifest) == ["a"]
    assert sorted(path.name for path in workspace.files.iterdir()) == ["a"]


def test_a_file_that_keeps_changing_stays_as_it_was_copied_before(
    pair: Pair, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(pair.source, {"growing": b"2"})
    pair.copy(workspace)
    put(pair.source, {"growing": b"22"})
    monkeypatch.setattr(os, "readv", growing(pair.source))
    assert pair.copy(workspace, final=True).unsettled == ()
    assert workspace.left_out() == []
    assert (workspace.files / "growing").read_bytes() == b"2"


@pytest.fixture
def reachable() -> Iterator[Path]:
    """Lend a folder that a user without special rights can reach."""
    with folder_for_nobody() as root:
        yield root


def test_an_unreadable_file_voids_the_pass_and_is_named_though_another_one_vanished(reachable: Path) -> None:
    """B45."""
    pair = make_pair(reachable / "pair")
    put(pair.source, {"a": b"1", "locked\n": b"2", "vanishing": b"3"})
    (pair.source / "locked\n").chmod(0)
    give_to_nobody(reachable)
    program = (
        "pair = Pair(root / 'pair'); listing = LocalTree.list; "
        "LocalTree.list = lambda tree: [e for e in listing(tree) if not (pair.source / 'vanishing').unlink(True)]; "
        "print(pair.copy(pair.catalog.workspace('run'), final=True))"
    )
    assert run_as_nobody(program, reachable) == r"IntegrityError: cannot read locked\n: Permission denied" + "\n"
    assert not pair.catalog.workspace("run").manifest.exists()


def test_an_unreadable_file_that_did_not_change_is_not_opened(reachable: Path) -> None:
    pair = make_pair(reachable / "pair")
    put(pair.source, {"a": b"1"})
    pair.seal("P1")
    facts = (pair.source / "a").stat()
    (pair.source / "a").chmod(0)
    os.utime(pair.source / "a", ns=(1, facts.st_mtime_ns))
    give_to_nobody(reachable)
    program = "pair = Pair(root / 'pair'); print(pair.copy(pair.catalog.workspace('run'), final=True).reused)"
    assert run_as_nobody(program, reachable) == "1\n"


def test_a_source_without_any_file_is_refused_when_there_were_some(pair: Pair) -> None:
    """B40: an unmounted or emptied source deletes nothing, also when its folders are still there."""
    put(pair.source, {"t/a": b"1", "t/b": b"2"})
    pair.seal("P1")
    for path in pair.source.rglob("*"):
        if path.is_file():
            path.unlink()
    workspace = pair.catalog.workspace("next")
    with pytest.raises(PreconditionError, match="lists no file, and had 2 before") as caught:
        pair.copy(workspace, final=True)
    assert caught.value.where == str(pair.source)
    assert not workspace.manifest.exists()


def test_a_source_that_is_unmounted_between_the_passes_of_the_first_run_is_refused(
    pair: Pair, workspace: Workspace
) -> None:
    put(pair.source, {"t/a": b"1"})
    pair.copy(workspace)
    (pair.source / "t" / "a").unlink()
    with pytest.raises(PreconditionError, match="lists no file, and had 1 before"):
        pair.copy(workspace, final=True)


def test_a_source_that_is_empty_from_the_start_is_fine_for_its_folders(pair: Pair, workspace: Workspace) -> None:
    put(pair.source, {"t": None})
    pair.copy(workspace, final=True)
    assert names(workspace.manifest) == ["t"]


def test_a_target_without_room_is_refused_before_the_first_byte(
    pair: Pair, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(pair.source, {"a": b"12345"})
    monkeypatch.setattr(free_space, "RESERVE_BYTES", 1 << 60)
    with pytest.raises(PreconditionError, match="5 bytes are needed"):
        pair.copy(workspace)
    assert list(workspace.files.iterdir()) == []


def test_a_pass_that_was_cut_off_costs_only_what_it_was_copying(
    pair: Pair, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(pair.source, {f"f{number}": b"%d" % number for number in range(10)})
    monkeypatch.setattr(Staging, "limits", Limits(workers=1, batch_files=1))

    def fail(path: bytes) -> None:
        if path == b"f7":
            raise TransientError("cut off")

    with monkeypatch.context() as cut:
        before_each_copy(cut, fail)
        with pytest.raises(TransientError, match="cut off"):
            pair.copy(workspace)
    assert [entry.path for entry in newest([workspace.indexes()[0]])] == [b"f%d" % number for number in range(7)]
    report = pair.copy(workspace, final=True)
    assert (report.reused, report.copied_files) == (7, 3)


def test_what_a_pass_that_was_cut_off_copied_is_carried_too(
    pair: Pair, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(pair.source, {"a": b"1", "b": b"2"})
    monkeypatch.setattr(transfer, "complete", lambda _, __, copies: len(list(copies)) / 0)
    with pytest.raises(ZeroDivisionError):
        pair.copy(workspace)
    monkeypatch.undo()
    (pair.source / "a").unlink()
    pair.copy(workspace, final=True)
    assert names(workspace.manifest) == ["a", "b"]


def test_a_pass_cut_off_while_it_takes_over_the_manifest_before_leaves_that_one_whole(
    pair: Pair, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(pair.source, {"a": b"1"})
    pair.seal("A")
    base = pair.catalog.manifest_path("A")
    before, rename = base.read_bytes(), Path.rename

    def die(draft: Path, place: Path) -> Path:
        if place == workspace.manifest:
            raise ZeroDivisionError
        return rename(draft, place)

    with monkeypatch.context() as cut:
        cut.setattr(Path, "rename", die)
        with pytest.raises(ZeroDivisionError):
            pair.copy(workspace, final=True)
    put(pair.source, {"b": b"2"})
    pair.copy(workspace, final=True)
    assert names(workspace.manifest) == ["a", "b"]
    assert base.read_bytes() == before


def test_what_stands_in_the_staging_area_without_a_line_is_copied_again(pair: Pair, workspace: Workspace) -> None:
    put(pair.source, {"a": b"whole", "t/b": b"whole"})
    put(workspace.files, {"a": b"ha", "t": b"a file where a folder must be"})
    pair.copy(workspace, final=True)
    assert (workspace.files / "a").read_bytes() == b"whole"
    assert (workspace.files / "t" / "b").read_bytes() == b"whole"


def test_a_folder_that_became_a_file_between_passes(pair: Pair, workspace: Workspace) -> None:
    put(pair.source, {"t/a": b"1"})
    pair.copy(workspace)
    shutil.rmtree(pair.source / "t")
    put(pair.source, {"t": b"now a file"})
    pair.copy(workspace, final=True)
    assert names(workspace.manifest) == ["t"]
    assert (workspace.files / "t").read_bytes() == b"now a file"


def test_two_processes_do_not_copy_into_one_workspace(pair: Pair, workspace: Workspace) -> None:
    """Airflow starts a task again when it believes that the first one died."""
    put(pair.source, {"a": b"1"})
    with workspace.lock(), pytest.raises(TransientError, match="the workspace is busy"):
        pair.copy(workspace)
    assert pair.copy(workspace).copied_files == 1


def test_many_files_are_copied_by_helper_processes(
    pair: Pair, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(pair.source, {f"t{number % 7}/f{number}": b"%d" % number for number in range(500)})
    monkeypatch.setattr(Staging, "limits", Limits(workers=2, helpers_from=100))
    report = copy_delta(pair.tree, pair.target, None, workspace, final=True)
    assert report.copied_files == 500
    copied = {path.name: path.read_bytes() for path in workspace.files.rglob("f*")}
    assert copied == {f"f{number}": b"%d" % number for number in range(500)}
    assert len(names(workspace.manifest)) == 507


def test_the_replica_is_never_listed_by_a_pass(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    put(pair.source, {"t/a": b"1", "t/b": b"2", "u/c": b"3"})
    pair.seal("A")
    pair.apply("A")
    put(pair.source, {"t/a": b"changed", "new/d": b"4"})
    (pair.source / "u" / "c").unlink()
    looked: list[str] = []

    def spied(real: Callable[..., object], path: object, *args: object, **kwargs: object) -> object:
        looked.append(os.fsdecode(path) if isinstance(path, bytes | str | Path) else "")
        return real(path, *args, **kwargs)

    for name in ("listdir", "scandir", "open", "stat", "lstat"):
        monkeypatch.setattr(os, name, partial(spied, getattr(os, name)))
    workspace = pair.catalog.workspace("next")
    pair.copy(workspace)
    pair.copy(workspace, final=True)
    monkeypatch.undo()
    assert any(path.startswith(str(pair.source)) for path in looked)
    assert [path for path in looked if path.startswith(str(pair.live))] == []


def test_folders_take_inodes_too(pair: Pair, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    put(pair.source, {"t/u/a": b"1", "t/b": b"2", "empty": None})
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(type(pair.target), "ensure_room", lambda _, *, size, files: asked.append((size, files)))
    pair.copy(workspace)
    assert asked == [(2, 5)]


def test_what_a_killed_copy_left_on_its_way_is_removed_by_the_next_pass(pair: Pair) -> None:
    """It would take up the room that the next one needs."""
    put(pair.source, {"a": b"1"})
    workspace = pair.catalog.workspace("a run")
    put(workspace.partial, {"spool-1-1": b"half", "spool-node-1/t/file": b"half"})
    pair.copy(workspace)
    assert list(workspace.partial.iterdir()) == []
