"""Bytes between real sshds with a real rsync: all ways, hostile names, and what cannot be copied."""

from __future__ import annotations

import hashlib
import os
import threading

import pytest

from incorta_provider.dr.manifest import Kind
from incorta_provider.exceptions import PreconditionError
from incorta_provider.storage.copying import spool_room
from incorta_provider.storage.copying.free_space import RESERVE_BYTES, Room
from incorta_provider.storage.local.target import LocalTarget
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.ssh import batches, pieces, routes
from incorta_provider.storage.ssh.tree import SshTree
from incorta_provider.storage.tree import Missed
from tests.benchmarks.relay import Relay
from tests.builders.storage import HOSTILE_NAMES, put, snapshot

pytestmark = pytest.mark.lab

EVERY_NAME = (*HOSTILE_NAMES, b"# no comment", b"; neither", b"brackets[a-z]{x}*?", b"colon:name", b"a" * 255)


@pytest.fixture(params=["pull", "push", "node to node", "spooled"])
def way(request, tmp_path, root, source, target, workspace):
    """Return a copier, and the folder where it stages."""
    staged = tmp_path / "node/vault" / os.fsdecode(target.area(workspace))
    match request.param:
        case "pull":
            local = LocalTarget(tmp_path / "live", target.catalog)
            return routes.node_to_folder(source, local, workspace), workspace.files
        case "push":
            return routes.folder_to_node(LocalTree(root), target, workspace), staged
        case "node to node":
            return routes.node_to_node(source, target, workspace), staged
        case _:
            return target.copier(source, workspace), staged


def files_of(root):
    return [entry for entry in LocalTree(root).list() if entry.kind is Kind.FILE]


def test_hostile_names_arrive_with_content_time_mode_and_digest(root, way):
    copier, staged = way
    put(root, {name: b"content of " + name for name in EVERY_NAME})
    put(root, {b"deep/" + name + b"/" + name: b"" for name in EVERY_NAME})
    for number, path in enumerate(sorted(root.iterdir())):
        path.chmod(0o755 if path.is_dir() else 0o640 if number % 2 else 0o400)
    batch = files_of(root)
    copied = copier(batch)
    assert [entry._replace(sha256=None) for entry in copied] == batch
    content = {entry.path: (root / os.fsdecode(entry.path)).read_bytes() for entry in batch}
    assert [entry.sha256 for entry in copied] == [hashlib.sha256(content[entry.path]).digest() for entry in batch]
    there = {path: facts for path, facts in snapshot(staged, times=True).items() if facts[0] == "file"}
    assert there == {path: facts for path, facts in snapshot(root, times=True).items() if facts[0] == "file"}


def test_what_vanished_and_what_became_something_else_is_missed(root, way):
    copier, staged = way
    put(root, {"gone": b"1", "kept": b"2", "folder now": b"3", "link now": b"4", "in/gone": b"5"})
    batch = files_of(root)
    for name in ("gone", "folder now", "link now", "in/gone"):
        (root / name).unlink()
    (root / "in").rmdir()
    (root / "folder now").mkdir()
    (root / "link now").symlink_to("kept")
    outcomes = dict(zip([entry.path for entry in batch], copier(batch), strict=True))
    assert outcomes.pop(b"kept").size == 1
    assert outcomes == {
        b"gone": Missed.VANISHED,
        b"in/gone": Missed.VANISHED,
        b"folder now": Missed.UNSETTLED,
        b"link now": Missed.UNSETTLED,
    }
    assert list(snapshot(staged)) == [b"kept"]


def test_a_newer_version_takes_the_place_of_an_older_one(root, way):
    copier, staged = way
    put(root, {"a": b"1", "b": b"1", "c/d": b"1"})
    copier(files_of(root))
    put(root, {"a": b"22"})
    (root / "b").unlink()
    put(root, {"b/x": b"22"})
    (root / "c/d").unlink()
    (root / "c").rmdir()
    put(root, {"c": b"22"})
    copier(files_of(root))
    assert {path: facts[2] for path, facts in snapshot(staged).items() if facts[0] == "file"} == {
        b"a": b"22",
        b"b/x": b"22",
        b"c": b"22",
    }


def test_long_files_come_in_pieces_beside_small_ones(root, way, monkeypatch):
    copier, staged = way
    monkeypatch.setattr(batches, "PACKED_BYTES", 0)
    monkeypatch.setattr(pieces, "PIECE_BYTES", 100_000)
    monkeypatch.setattr(batches, "LONG_BYTES", 200_000)
    put(root, {"small": b"1", b"long \xff'\n": os.urandom(250_001), "in/long": os.urandom(200_000)})
    batch = files_of(root)
    assert [entry._replace(sha256=None) for entry in copier(batch)] == batch
    there = {path: facts for path, facts in snapshot(staged, times=True).items() if facts[0] == "file"}
    assert there == {path: facts for path, facts in snapshot(root, times=True).items() if facts[0] == "file"}


def test_all_batches_of_a_copy_share_the_logins_of_its_lines(root, source, target, workspace, primary, monkeypatch):
    monkeypatch.setattr(batches, "PACKED_BYTES", 0)
    put(root, {f"{number}": b"1" for number in range(6)})
    with Relay(primary().port) as relay:
        tree = SshTree(primary(port=relay.port), bytes(root))
        copier = routes.node_to_folder(tree, LocalTarget(root, target.catalog), workspace)
        for entry in files_of(root):
            assert copier([entry])[0].size == 1
        assert relay.accepted == 2  # the agent's, and one line
        monkeypatch.undo()
        copier(files_of(root))
        assert relay.accepted == 2  # few bytes take the agent's


def test_sparse_files_stay_sparse(root, way, request):
    copier, staged = way
    with (root / "sparse").open("wb") as file:
        file.truncate(50_000_000)
        file.seek(20_000_000)
        file.write(b"data")
    (copied,) = copier(files_of(root))
    assert (staged / "sparse").read_bytes() == (root / "sparse").read_bytes()
    assert copied.size == 50_000_000
    if "spooled" not in request.node.name:
        assert (staged / "sparse").stat().st_blocks * 512 < 10_000_000


def test_a_file_that_keeps_changing_is_unsettled_and_not_staged(root, way):
    copier, staged = way
    put(root, {"calm": b"x", "busy": b"x" * 1000})
    batch = files_of(root)
    ended = threading.Event()

    def write():
        while not ended.wait(0.001):
            (root / "busy").write_bytes(os.urandom(1000))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        busy, calm = copier(batch)
    finally:
        ended.set()
        writer.join()
    assert calm.size == 1
    assert busy is Missed.UNSETTLED or (staged / "busy").stat().st_mtime_ns == busy.mtime_ns
    assert not [path for path in staged.rglob("*") if path.name.startswith(".busy")]


def test_files_that_the_worker_has_no_room_for_on_their_way_are_not_fetched(
    root, source, target, workspace, tmp_path, monkeypatch
):
    put(root, {"a": b"1" * 60, "b": b"2" * 40})
    monkeypatch.setattr(spool_room, "room", lambda _: Room(RESERVE_BYTES + 99, None))
    copier = target.copier(source, workspace)
    with pytest.raises(PreconditionError, match=r"no room left at the worker.*: 100 bytes are needed") as caught:
        copier(files_of(root))
    assert caught.value.where == str(workspace.partial)
    assert list(workspace.partial.iterdir()) == []
    assert not (tmp_path / "node/vault" / os.fsdecode(target.area(workspace))).exists()
    monkeypatch.undo()
    assert [entry.size for entry in copier(files_of(root))] == [60, 40]
