"""Ends that are full, read-only, noisy or replaced under a copy: each is named at its place, with what to do."""

from __future__ import annotations

import os
import shutil

import pytest

from incorta_provider.dr.manifest import Kind
from incorta_provider.exceptions import ConfigurationError, PreconditionError, TransientError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.local.target import LocalTarget
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.ssh import batches, pieces, routes, rsync
from incorta_provider.storage.ssh.facts import State, facts_of
from incorta_provider.storage.ssh.target import SshTarget
from incorta_provider.storage.ssh.tree import SshTree
from incorta_provider.storage.ssh.volume import RemoteVolume
from incorta_provider.storage.tree import Missed
from tests.builders.disks import mounted, remount
from tests.builders.storage import put, snapshot

pytestmark = pytest.mark.lab

PIECE = 100_000
LONG = pytest.mark.chaos


def kinds_and_ways(*some, ways=("pull", "push", "node to node")):
    """Return each way that bytes take over each route; all but some apart from `make test`."""
    both = [(kind, way) for kind in ("packed", "rsync", "pieces") for way in ways]
    return [pytest.param(*each, marks=() if each in some else LONG) for each in both]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(batches, "_PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setattr(batches, "_RETRY_PAUSES", ())


@pytest.fixture(params=["packed", "rsync", "pieces"])
def kind(request, monkeypatch):
    """Let all files travel this way."""
    monkeypatch.setattr(batches, "PACKED_BYTES", 4_000_000 if request.param == "packed" else 0)
    monkeypatch.setattr(pieces, "PIECE_BYTES", PIECE)
    monkeypatch.setattr(batches, "LONG_BYTES", PIECE if request.param == "pieces" else 1 << 40)
    return request.param


def files_of(root):
    return [entry for entry in LocalTree(root).list() if entry.kind is Kind.FILE]


# Read-only, full


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        each
        for each in kinds_and_ways(("packed", "push"), ("rsync", "push"), ("pieces", "push"))
        if "pull" not in each.values
    ],
    indirect=["kind"],
)
def test_a_target_that_turns_read_only_under_the_copy(tmp_path, root, source, dr, kind, way):
    put(root, {"a": b"1" * 3 * PIECE})
    with mounted(tmp_path / "small", "size=50m") as home:
        catalog = Catalog(tmp_path / "records")
        catalog.initialise("acme", "newyork")
        target = SshTarget(catalog, RemoteVolume(dr(), bytes(home / "live"), bytes(home / "vault")))
        target.initialise()
        workspace = catalog.workspace("a run")
        if way == "push":
            copier = routes.folder_to_node(LocalTree(root), target, workspace)
        else:
            copier = routes.node_to_node(source, target, workspace)
        remount(home, "ro")
        with pytest.raises(ConfigurationError, match=r"cannot write|cannot be written") as caught:
            copier(files_of(root))
        assert "Report this as a bug" not in str(caught.value)
        assert "rsync" not in caught.value.fix
        assert "ssh://newyork_node1" in caught.value.where
        with pytest.raises(ConfigurationError, match="cannot write"):
            target.volume.do([], b"history/x")


def test_a_full_disk_here_is_told_as_one_here(tmp_path, root, source, kind):
    put(root, {"a": os.urandom(8 * PIECE)})
    with mounted(tmp_path / "small", "size=50m") as home:
        catalog = Catalog(home / "catalog")
        catalog.initialise("acme", "newyork")
        workspace = catalog.workspace("a run")
        copier = routes.node_to_folder(source, LocalTarget(home / "live", catalog), workspace)
        remount(home, "size=500k")
        with pytest.raises(PreconditionError, match="no room left") as caught:
            copier(files_of(root))
        assert str(home) in caught.value.where


# Shells that talk


def test_a_shell_that_talks_to_rsync_is_named(root, source, target, workspace, tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "PACKED_BYTES", 0)
    noisy = script(tmp_path / "noisy-rsync", 'echo "Welcome to node 1"; exec rsync "$@"')
    monkeypatch.setattr("incorta_provider.storage.ssh.rsync_commands.FLAGS", (*rsync.FLAGS, f"--rsync-path={noisy}"))
    put(root, {"a": b"1"})
    with pytest.raises(ConfigurationError, match="login shell prints something") as caught:
        routes.node_to_folder(source, LocalTarget(root, target.catalog), workspace)(files_of(root))
    assert "must print nothing" in caught.value.fix


@pytest.mark.parametrize("kind", ["pieces"], indirect=True)
@pytest.mark.parametrize("way", ["pull", pytest.param("node to node", marks=LONG)])
def test_a_shell_that_talks_before_a_piece_is_named(root, primary, target, workspace, tmp_path, kind, way):
    put(root, {"a": os.urandom(3 * PIECE)})
    noisy = script(tmp_path / "noisy-python", 'echo "Welcome to node 1"; exec python3 "$@"')
    tree = SshTree(primary(conn_id="noisy", extra={"python": str(noisy)}), bytes(root))
    if way == "pull":
        copier = routes.node_to_folder(tree, LocalTarget(root, target.catalog), workspace)
    else:
        copier = routes.node_to_node(tree, target, workspace)
    with pytest.raises(ConfigurationError, match=r"login shell prints something.*Welcome to") as caught:
        copier(files_of(root))
    assert "ssh://noisy" in caught.value.where


def script(path, commands):
    path.write_text(f"#!/bin/sh\n{commands}\n")
    path.chmod(0o755)
    return path


# Files and folders that are replaced under the copy


def test_a_file_that_vanished_behind_its_facts_is_missed(root, source, tmp_path):
    """B43, for a source whose files are fetched one by one, as those for a bucket."""
    put(root, {"a": b"1", "b": b"2", "c": b"3"})
    a, b, c = files_of(root)
    (root / "a").unlink()
    (root / "b").unlink()
    (root / "b").symlink_to("c")
    assert source.fetch(a, bytes(tmp_path / "into")) is Missed.VANISHED
    assert source.fetch(b, bytes(tmp_path / "into")) is Missed.UNSETTLED
    assert not (tmp_path / "into").exists()
    assert source.fetch(c, bytes(tmp_path / "into")).size == 1


@pytest.mark.parametrize(
    ("kind", "way"),
    kinds_and_ways(("packed", "pull"), ("rsync", "push"), ("rsync", "node to node")),
    indirect=["kind"],
)
def test_a_folder_that_became_a_link_leads_nowhere(tmp_path, root, source, target, workspace, kind, way):
    """Bytes from outside of the root are in no recovery point, whatever took a folder's place since the listing."""
    put(root, {"in/deep/a": b"1" * 3 * PIECE, "kept": b"2"})
    batch = files_of(root)
    shutil.move(root / "in", tmp_path / "outside")
    (root / "in").symlink_to(tmp_path / "outside")
    staged = workspace.files
    if way == "pull":
        copier = routes.node_to_folder(source, LocalTarget(root, target.catalog), workspace)
    else:
        staged = tmp_path / "node/vault" / os.fsdecode(target.area(workspace))
        tree = LocalTree(root) if way == "push" else source
        copier = (routes.folder_to_node if way == "push" else routes.node_to_node)(tree, target, workspace)
    missed, kept = copier(batch)
    assert missed is Missed.VANISHED
    assert kept.size == 1
    assert {path for path, facts in snapshot(staged).items() if facts[0] == "file"} == {b"kept"}
    assert source.fetch(batch[0], bytes(tmp_path / "into")) is Missed.VANISHED


@pytest.mark.parametrize("way", ["pull", "push", pytest.param("node to node", marks=LONG)])
@pytest.mark.parametrize("kind", ["pieces"], indirect=True)
def test_a_piece_is_not_read_through_a_link(tmp_path, root, source, target, workspace, kind, way):
    put(tmp_path / "outside", {"a": b"secret" * PIECE})
    (root / "in").symlink_to(tmp_path / "outside")
    piece = pieces.Piece(b"in/a", 0, PIECE)
    if way == "pull":
        carrier = routes.node_to_folder(source, LocalTarget(root, target.catalog), workspace)._carrier
    else:
        tree = LocalTree(root) if way == "push" else source
        carrier = (routes.folder_to_node if way == "push" else routes.node_to_node)(tree, target, workspace)._carrier
    ended = carrier.bring_piece(carrier.new_folder(), piece)
    assert ended.status == rsync.PARTIAL
    assert "Not a directory (20)" in ended.complaint


def test_facts_stay_below_the_root(tmp_path):
    put(tmp_path, {"root/a": b"1", "outside/b": b"2", "root/real/deep/c": b"3"})
    (tmp_path / "root/in").symlink_to("../outside")
    found = facts_of(bytes(tmp_path / "root"), [b"a", b"in/b", b"none/x", b"real/deep/c", b"in"], rest=False)
    assert [facts.state for facts in found] == [State.FILE, State.GONE, State.GONE, State.FILE, State.OTHER]


# What a killed worker left


def test_what_a_killed_worker_brought_by_a_spool_is_removed_by_the_next_one(root, target, dr, workspace, tmp_path):
    put(root, {"a": b"1"})
    incoming = tmp_path / "node/vault/incoming"

    def worker(name):
        volume = RemoteVolume(dr(conn_id=name), target.volume.root, target.volume.vault)
        return SshTarget(target.catalog, volume).copier(LocalTree(root), workspace)

    killed = worker("killed")
    (left,) = incoming.iterdir()
    put(left, {"rsync-1/a": b"half"})
    following = worker("following")
    assert left not in set(incoming.iterdir())
    assert following(files_of(root))[0].size == 1
    with pytest.raises(TransientError, match="another worker has taken over"):
        killed(files_of(root))
