"""The catalog: a point is there whole or not at all, and nothing is ever written over."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from incorta_provider.exceptions import ConfigurationError, IntegrityError, PreconditionError, TransientError
from incorta_provider.storage import bin as bin_module
from incorta_provider.storage import catalog as catalog_module
from incorta_provider.storage import file_lock
from incorta_provider.storage.catalog import DROPPED, Catalog
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.file_lock import exclusive
from incorta_provider.storage.local.target import LocalTarget
from incorta_provider.storage.manifest.manifest_file import read_manifest
from incorta_provider.storage.records.cutover_folder import CutoverFolder
from tests.builders.storage import (
    Pair,
    complete,
    folder_for_nobody,
    make_pair,
    make_point,
    put,
    run_as_nobody,
)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    pair = make_pair(tmp_path / "pair")
    put(pair.source, {"a": b"1", "t/b": b"2"})
    return pair


def test_an_empty_catalog_says_what_to_do(pair: Pair) -> None:
    assert pair.catalog.points() == []
    assert pair.catalog.newest() is None
    assert pair.catalog.live_point_id() is None
    for point_id in (None, "P1"):
        with pytest.raises(PreconditionError, match="there is no recovery point yet"):
            pair.catalog.get(point_id)


@pytest.mark.parametrize(
    "use",
    [
        Catalog.points,
        Catalog.newest,
        Catalog.get,
        Catalog.create,
        lambda catalog: catalog.get("A"),
        lambda catalog: catalog.workspace("run"),
        lambda catalog: catalog.lock("apply").__enter__(),
        lambda catalog: CutoverFolder(catalog.root, "m1").save_report({}),
        lambda catalog: LocalTarget(catalog.root.parent / "live", catalog).apply("A"),
    ],
)
@pytest.mark.parametrize("mount_point", [True, False])
def test_nothing_is_read_or_made_below_a_mount_that_is_not_there(
    tmp_path: Path, use: Callable[[Catalog], object], mount_point: bool
) -> None:
    root = tmp_path / "catalog"
    if mount_point:
        root.mkdir()
    with pytest.raises(PreconditionError, match="the catalog is not there") as caught:
        use(Catalog(root))
    assert caught.value.where == str(root)
    assert [path for path in tmp_path.rglob("*") if path != root] == []


def test_a_catalog_is_initialised_once_and_for_one_group_and_site(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog")
    for _ in range(2):
        catalog.initialise("acme", "newyork")
    assert catalog.ensure_there() == {"group": "acme", "site": "newyork"}
    assert catalog.points() == []
    for group, site in (("acme", "berlin"), ("other", "newyork")):
        with pytest.raises(PreconditionError, match=f"the catalog of acme at newyork, not of {group} at {site}"):
            catalog.initialise(group, site)
    assert catalog.ensure_there() == {"group": "acme", "site": "newyork"}


def test_a_catalog_is_not_initialised_where_no_folder_is(tmp_path: Path) -> None:
    with pytest.raises(PreconditionError, match="there is no folder for the catalog"):
        Catalog(tmp_path / "unmounted" / "catalog").initialise("acme", "newyork")
    assert list(tmp_path.iterdir()) == []


def test_points_are_listed_oldest_first_whatever_their_names(pair: Pair) -> None:
    pair.seal("C", minute=1)
    pair.seal("A", minute=2)
    pair.seal("B", minute=3)
    assert [point.id for point in pair.catalog.points()] == ["C", "A", "B"]
    newest = pair.catalog.newest()
    assert newest is not None
    assert newest.id == "B"
    assert pair.catalog.get().id == "B"
    assert pair.catalog.get("A").id == "A"
    with pytest.raises(PreconditionError, match="there is no recovery point 'D'"):
        pair.catalog.get("D")


@pytest.mark.parametrize("point_id", ["", ".", "..", "../points/A", "/etc", "A/..", "A\n", ".hidden", "ü"])
def test_an_id_never_leads_out_of_the_catalog(pair: Pair, point_id: str) -> None:
    pair.seal("A")
    with pytest.raises(PreconditionError, match="there is no recovery point"):
        pair.catalog.get(point_id)
    with pytest.raises(PreconditionError):
        pair.catalog.manifest_path(point_id)


def test_a_sealed_point_has_its_parts_and_no_scaffolding(pair: Pair) -> None:
    pair.seal("A")
    home = pair.catalog.point_dir("A")
    assert sorted(path.name for path in home.iterdir()) == [
        "delta.parquet",
        "files",
        "inventory.json",
        "left_out.json",
        "manifest.parquet",
        "metadata.sql.zst",
        "point.json",
    ]
    assert pair.catalog.manifest_path("A") == home / "manifest.parquet"
    assert pair.catalog.dump_path("A").read_bytes() == b"dump"
    assert pair.catalog.inventory_path("A").read_bytes() == b"{}"
    assert [entry.path for entry in read_manifest(pair.catalog.manifest_path("A"))] == [b"a", b"t", b"t/b"]


def test_sealing_again_returns_the_point_that_is_there(pair: Pair) -> None:
    workspace = pair.seal("A")
    point = make_point("A")
    assert pair.catalog.seal(workspace, point.model_copy(update={"files": 99})).files == 2


def test_another_runs_point_is_not_written_over(pair: Pair) -> None:
    pair.seal("A")
    other = pair.catalog.workspace("other")
    pair.copy(other, final=True)
    complete(other)
    with pytest.raises(IntegrityError, match="sealed by run run of A, not by other"):
        pair.catalog.seal(other, make_point("A").model_copy(update={"run_id": "other"}))


def test_a_workspace_that_lacks_a_part_is_not_sealed(pair: Pair) -> None:
    workspace = pair.catalog.workspace("run")
    with pytest.raises(PreconditionError, match=r"manifest\.parquet, metadata\.sql\.zst, inventory\.json missing"):
        pair.catalog.seal(workspace, make_point("A"))
    pair.copy(workspace, final=True)
    workspace.inventory.write_bytes(b"{}")
    with pytest.raises(PreconditionError, match=r"nothing to seal: metadata\.sql\.zst missing"):
        pair.catalog.seal(workspace, make_point("A"))
    assert pair.catalog.points() == []


def test_everything_is_on_disk_before_the_point_appears(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    home = pair.catalog.point_dir("A")
    synced: list[tuple[str, bool]] = []
    monkeypatch.setattr(catalog_module, "sync_filesystem", lambda path: synced.append(("everything", home.exists())))
    monkeypatch.setattr(catalog_module, "sync_folder", lambda path: synced.append((path.name, home.exists())))
    pair.seal("A")
    assert synced == [("everything", False), ("points", True), ("workspaces", True)]


def test_a_folder_without_its_record_is_no_point(pair: Pair) -> None:
    pair.seal("A", minute=1)
    pair.seal("B", minute=2)
    (pair.catalog.point_dir("B") / "point.json").unlink()
    assert [point.id for point in pair.catalog.points()] == ["A"]
    with pytest.raises(PreconditionError):
        pair.catalog.get("B")


@pytest.mark.parametrize("content", ["{}", "[]", '{"id": "A"}', "null", "no JSON", b"\xff\xfe", None])
def test_a_damaged_record_is_named_and_holds_up_nothing(pair: Pair, content: str | bytes | None) -> None:
    pair.seal("A")
    pair.seal("B", minute=2)
    path = pair.catalog.point_dir("B") / "point.json"
    path.unlink()
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(IntegrityError, match="the record of a recovery point is damaged: ") as caught:
        pair.catalog.get("B")
    assert caught.value.where == str(path)
    assert [point.id for point in pair.catalog.points()] == ["A"]
    newest = pair.catalog.newest()
    assert newest is not None
    assert newest.id == "A"
    assert pair.catalog.damaged() == {"B": caught.value.what}
    pair.seal("C", minute=3)
    assert path.exists()


def test_a_record_of_another_point_is_damage(pair: Pair) -> None:
    pair.seal("A")
    pair.seal("B", minute=2)
    pair.catalog.point_dir("A").joinpath("point.json").write_bytes(
        pair.catalog.point_dir("B").joinpath("point.json").read_bytes()
    )
    assert [point.id for point in pair.catalog.points()] == ["B"]
    assert pair.catalog.damaged() == {"A": "the record of a recovery point is damaged: it is the record of B"}


def test_a_record_that_is_gone_is_damage_and_what_is_dropped_is_none(pair: Pair) -> None:
    pair.seal("A")
    pair.seal("B", minute=2)
    pair.catalog.point_dir("A").joinpath("point.json").unlink()
    record = pair.catalog.point_dir("B") / "point.json"
    record.rename(record.with_name(DROPPED))
    (pair.catalog.root / "points" / "C" / "files").mkdir(parents=True)
    assert pair.catalog.damaged() == {"A": "its record is gone"}
    assert pair.catalog.points() == []


def test_a_workspace_is_found_again_by_its_run_and_removed_by_name(pair: Pair) -> None:
    key = "manual__2026-11-25T03:04:05+00:00/../x"
    workspace = pair.catalog.workspace(key)
    workspace.dump.write_bytes(b"1")
    assert pair.catalog.workspace(key) == workspace
    assert pair.catalog.workspace(key).dump.read_bytes() == b"1"
    assert workspace.root.parent == pair.catalog.root / "workspaces"
    pair.catalog.discard(key)
    pair.catalog.discard(key)
    assert not workspace.root.exists()


def test_leftovers_of_other_runs_are_removed(pair: Pair) -> None:
    mine, other = pair.catalog.workspace("mine"), pair.catalog.workspace("other")
    put(other.files, {"deep/er/x": b"1"})
    (other.files / "link").symlink_to(pair.source)
    pair.catalog.discard_others("mine")
    assert mine.root.exists()
    assert not other.root.exists()
    assert (pair.source / "a").exists()


def test_a_workspace_in_which_a_task_works_is_not_removed(pair: Pair) -> None:
    other = pair.catalog.workspace("other")
    put(other.files, {"x": b"1"})
    with other.lock():
        with pytest.raises(TransientError, match="the workspace is busy"):
            pair.catalog.discard_others("mine")
        with pytest.raises(TransientError, match="the workspace is busy"):
            pair.catalog.discard("other")
    assert (other.files / "x").read_bytes() == b"1"
    pair.catalog.discard_others("mine")
    assert not other.root.exists()


def test_a_removal_that_was_cut_off_leaves_no_workspace_and_is_finished_later(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = pair.catalog.workspace("other")
    put(other.files, {"x": b"1"})
    with monkeypatch.context() as patch:
        patch.setattr(bin_module, "remove_tree", lambda path: None)
        pair.catalog.discard_others("mine")
    assert not other.root.exists()
    assert len(list((pair.catalog.root / "bin").iterdir())) == 1
    pair.catalog.discard_others("mine")
    assert not (pair.catalog.root / "bin").exists()


def test_what_a_run_staged_elsewhere_and_cannot_be_removed_yet_holds_up_no_other_run(pair: Pair) -> None:
    """A bucket whose versions are locked, a node that is down: the next run tries again."""
    for key in ("other", "third"):
        put(pair.catalog.workspace(key).files, {"x": b"1"})
    asked: list[str] = []

    def locked(workspace: Workspace) -> None:
        asked.append(workspace.root.name)
        if workspace.root.name.startswith("other"):
            raise ConfigurationError("1 object(s) could not be deleted", where="s3://x", fix="Allow it.")

    pair.catalog.discard_others("mine", locked)
    assert sorted(name[:5] for name in asked) == ["other", "third"]
    assert pair.catalog.workspaces() == []
    assert [path.name[:5] for path in (pair.catalog.root / "bin").glob("*/*")] == ["other"]
    pair.catalog.discard_others("mine", lambda workspace: asked.append(workspace.root.name))
    assert [name[:5] for name in asked[2:]] == ["other"]
    assert not (pair.catalog.root / "bin").exists()


def test_only_the_workers_account_may_look_inside(pair: Pair) -> None:
    """There are metadata dumps in it: password hashes, connection strings."""
    pair.seal("A")
    pair.catalog.workspace("run")
    folders = ["workspaces", "points", "history", "journal", "points/A/files"]
    assert {(pair.catalog.root / name).stat().st_mode & 0o777 for name in folders} == {0o700}


def test_which_point_is_live_is_remembered(pair: Pair) -> None:
    pair.catalog.set_live("A")
    pair.catalog.set_live("B")
    assert Catalog(pair.catalog.root).live_point_id() == "B"


def test_a_catalog_that_cannot_be_written_is_a_setting_to_correct() -> None:
    with folder_for_nobody() as root:
        root.chmod(0o555)
        printed = run_as_nobody(
            "from incorta_provider.storage.catalog import Catalog; Catalog(root / 'c').initialise('acme', 'newyork')",
            root,
        )
        assert printed == "ConfigurationError: cannot write: Permission denied\n"


def test_a_lock_that_went_elsewhere_while_it_was_opened_is_not_held(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of a workspace is sealed or thrown away between opening its lock and taking it."""
    workspace = pair.catalog.workspace("run")
    taken = fcntl.flock

    def flock(handle: int, how: int) -> None:
        workspace.root.rename(pair.root / "elsewhere")
        taken(handle, how)

    monkeypatch.setattr(file_lock.fcntl, "flock", flock)
    with pytest.raises(TransientError, match="the workspace was moved away at this very moment"):
        workspace.lock().__enter__()


def hold(path: Path, taken: object, end: object) -> None:
    with exclusive(path, "it"):
        taken.set()  # type: ignore[attr-defined]
        end.wait()  # type: ignore[attr-defined]


def test_a_lock_is_held_by_one_and_says_by_whom(pair: Pair) -> None:
    with pair.catalog.lock("apply"):
        with pytest.raises(TransientError, match=f"'apply' is busy: held by process {os.getpid()} on "):
            pair.catalog.lock("apply").__enter__()
        with pair.catalog.lock("seal"):
            pass
    with pair.catalog.lock("apply"):
        pass


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    """B62: a lock without an owner never blocks for ever."""
    spawn = multiprocessing.get_context("spawn")
    taken, end = spawn.Event(), spawn.Event()
    holder = spawn.Process(target=hold, args=(tmp_path / "lock", taken, end))
    holder.start()
    assert taken.wait(30)
    with pytest.raises(TransientError, match=f"held by process {holder.pid}"):
        exclusive(tmp_path / "lock", "it").__enter__()
    holder.kill()
    holder.join()
    with exclusive(tmp_path / "lock", "it"):
        pass
