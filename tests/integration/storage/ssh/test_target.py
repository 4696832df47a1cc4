"""A replica at a node, from the first point on: sealed here, applied there, and back again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.exceptions import (
    ConfigurationError,
    IntegrityError,
    LostWritesError,
    PreconditionError,
    TransientError,
)
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.copying import early_flush
from incorta_provider.storage.copying.checks import drop_from_manifest, ensure_staged, verify_staged
from incorta_provider.storage.copying.transfer import copy_delta
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.ssh import batches
from incorta_provider.storage.ssh.routes import folder_to_node
from incorta_provider.storage.ssh.target import SshTarget
from incorta_provider.storage.ssh.volume import RemoteReader, RemoteVolume
from incorta_provider.storage.verify import verify_replica
from tests.builders.storage import HOSTILE_NAMES, complete, make_pair, make_point, put, snapshot

pytestmark = pytest.mark.lab


@pytest.fixture
def live(tmp_path):
    return tmp_path / "node/live"


def seal(source, target, point_id, *, minute=0):
    """Make a point as the steps do."""
    catalog = target.catalog
    newest = catalog.newest()
    base = catalog.manifest_path(newest.id) if newest else None
    workspace = catalog.workspace(f"run of {point_id}")
    copy_delta(source, target, base, workspace, final=False)
    copy_delta(source, target, base, workspace, final=True)
    report = verify_staged(target, workspace)
    assert report.damaged == ()
    drop_from_manifest(workspace, report.framing_faults)
    complete(workspace)
    ensure_staged(target, workspace)
    target.flush(workspace)
    catalog.seal(workspace, make_point(point_id, workspace, minute=minute))


@pytest.mark.parametrize("kind", ["push", "node to node"])
def test_points_there_and_back(root, live, source, target, kind):
    tree = source if kind == "node to node" else LocalTree(root)
    target.check()
    put(root, {name: b"content of " + name for name in HOSTILE_NAMES})
    put(root, {"folder/deep/file": b"1", "goes": b"1", "empty": None, "was file": b"1", "was folder/x": b"1"})
    (root / "link").symlink_to("folder/deep")
    seal(tree, target, "A")
    first = snapshot(root, times=True)
    target.apply("A")
    assert snapshot(live, times=True) == first

    put(root, {"folder/deep/file": b"22", "comes": b"22"})
    (root / "goes").unlink()
    (root / "was file").unlink()
    put(root, {"was file/x": b"22"})
    shutil.rmtree(root / "was folder")
    put(root, {"was folder": b"22"})
    (root / "link").unlink()
    (root / "link").symlink_to("comes")
    seal(tree, target, "B", minute=1)
    second = snapshot(root, times=True)
    target.apply("B")
    assert snapshot(live, times=True) == second

    target.apply("A")
    assert snapshot(live, times=True) == first
    target.apply("B")
    assert snapshot(live, times=True) == second
    assert verify_replica(target, target.catalog.manifest_path("B"), deep=True).equal


def test_a_source_at_a_node_and_a_replica_here(root, source, tmp_path):
    put(root, {name: b"content of " + name for name in HOSTILE_NAMES})
    pair = make_pair(tmp_path / "pair")
    seal(source, pair.target, "A")
    pair.apply("A")
    assert snapshot(pair.live, times=True) == snapshot(root, times=True)


def test_a_vault_that_is_not_mounted_is_refused_and_not_filled(root, source, target, tmp_path):
    shutil.rmtree(tmp_path / "node/vault")
    (tmp_path / "node/vault").mkdir()
    with pytest.raises(PreconditionError, match="the vault is not there") as caught:
        target.check()
    assert caught.value.where == f"ssh://newyork_node1{tmp_path}/node/vault"
    assert list((tmp_path / "node/vault").iterdir()) == []


def test_the_vault_of_another_group_is_refused(target, tmp_path, dr):
    other = Catalog(tmp_path / "other")
    other.initialise("globex", "newyork")
    with pytest.raises(PreconditionError, match="this is the vault of acme at newyork, not of globex"):
        SshTarget(other, target.volume).check()
    with pytest.raises(PreconditionError, match="this is the vault of acme"):
        SshTarget(other, target.volume).initialise()


def test_a_folder_with_something_in_it_becomes_no_vault(target, tmp_path, dr):
    put(tmp_path / "full", {"x": b""})
    volume = RemoteVolume(dr(), bytes(tmp_path / "node/live"), bytes(tmp_path / "full"))
    with pytest.raises(PreconditionError, match="not empty, and it is not a vault"):
        SshTarget(target.catalog, volume).initialise()


def test_a_vault_on_another_file_system_is_refused(target, tmp_path, dr):
    elsewhere = Path("/dev/shm") / f"incorta-{os.getpid()}"
    volume = RemoteVolume(dr(), bytes(tmp_path / "node/live"), bytes(elsewhere))
    try:
        with pytest.raises(PreconditionError, match="another file system"):
            SshTarget(target.catalog, volume).initialise()
    finally:
        shutil.rmtree(elsewhere, ignore_errors=True)


def test_the_vault_is_initialised_again_without_harm(target, tmp_path):
    before = snapshot(tmp_path / "node")
    target.initialise()
    assert snapshot(tmp_path / "node") == before


def test_records_are_kept_where_the_bytes_are(root, source, target, tmp_path):
    put(root, {"a": b"1"})
    seal(source, target, "A")
    (target.catalog.root / "ledger.jsonl").write_text("{}\n")
    target.keep_records("A")
    kept = tmp_path / "node/vault/records"
    for name in ("point.json", "manifest.parquet", "metadata.sql.zst", "inventory.json"):
        assert (kept / "points/A" / name).read_bytes() == (target.catalog.point_dir("A") / name).read_bytes()
    assert (kept / "ledger.jsonl").read_text() == "{}\n"
    (target.catalog.root / "ledger.jsonl").write_text("{}\n{}\n")
    target.keep_records("A")
    assert (kept / "ledger.jsonl").read_text() == "{}\n{}\n"
    assert Catalog(kept).get("A") == target.catalog.get("A")


def test_a_disk_that_loses_what_is_written_with_the_records_voids_what_runs_staged(root, source, target, monkeypatch):
    """The disk says it once, to whoever asks first: here that is the copy of the records, after the seal."""
    put(root, {"a": b"1"})
    seal(source, target, "A")
    held = target.catalog.workspace("a run that waits for a person")

    def lose(_):
        raise LostWritesError("the disk did not take all", where="/vault", fix="Check the disk.")

    monkeypatch.setattr(RemoteVolume, "sync", lose)
    with pytest.raises(LostWritesError):
        target.keep_records("A")
    assert held.is_void


def test_a_catalog_that_was_lost_comes_back_from_the_vault(root, live, source, target, tmp_path):
    put(root, {"a": b"1", "goes": b"1"})
    seal(source, target, "A")
    target.apply("A")
    first = snapshot(root, times=True)
    put(root, {"a": b"22"})
    (root / "goes").unlink()
    seal(source, target, "B", minute=1)
    for point_id in ("A", "B"):
        target.keep_records(point_id)
    target.apply("B")
    shutil.rmtree(target.catalog.root)
    shutil.copytree(tmp_path / "node/vault/records", target.catalog.root)
    for name, key in (("live.json", "point"), ("diverged.json", "left")):
        (target.catalog.root / name).write_text(f'{{"{key}": "B"}}')
    target.catalog.initialise("acme", "newyork")
    target.check()
    target.apply("A")
    assert snapshot(live, times=True) == first


def test_a_damaged_staged_file_is_found(root, source, target, tmp_path):
    put(root, {"a": b"1", "b": b"2"})
    workspace = target.catalog.workspace("a run")
    copy_delta(source, target, None, workspace, final=True)
    (tmp_path / "node/vault" / os.fsdecode(target.area(workspace)) / "a").write_bytes(b"X")
    assert verify_staged(target, workspace).damaged == (b"a",)
    with pytest.raises(IntegrityError, match="replaced since they were checked"):
        ensure_staged(target, workspace)


def test_much_goes_to_the_nodes_disk_beside_the_check(root, source, target, monkeypatch):
    """The flush and the check are asked of one node at the same time."""
    put(root, {"a": b"1", "b": b"2"})
    workspace = target.catalog.workspace("a run")
    copy_delta(source, target, None, workspace, final=True)
    monkeypatch.setattr(early_flush, "MUCH_BYTES", 2)
    asked = []
    sync = RemoteVolume.sync
    monkeypatch.setattr(RemoteVolume, "sync", lambda volume: asked.append(volume.label) or sync(volume))
    report = verify_staged(target, workspace)
    assert (report.files, report.damaged, asked) == (2, (), [target.label])


def test_a_parquet_file_that_is_not_whole_is_told(root, source, target):
    put(root, {"a.parquet": b"PAR1 half"})
    workspace = target.catalog.workspace("a run")
    copy_delta(source, target, None, workspace, final=True)
    assert verify_staged(target, workspace).framing_faults == (b"a.parquet",)


def test_a_footer_that_only_a_library_can_judge_is_judged_here(root, source, target, dr, tmp_path):
    """The node's Python has no library for Parquet; an encoder may order the fields of a footer as it likes."""
    whole = tmp_path / "whole.parquet"
    pq.write_table(pa.table({"column": list(range(1000))}), whole)
    data = whole.read_bytes()
    length = int.from_bytes(data[-8:-4], "little")
    put(root, {"damaged.parquet": data[: -8 - length] + b"\xff" * length + data[-8:]})
    put(root, {"unusual.parquet": data[: -8 - length] + unusual(data[-8 - length : -8]) + tail(length + 1)})
    workspace = target.catalog.workspace("a run")
    bare = dr(conn_id="bare", extra={"python": str(bare_python(tmp_path))})
    target.volume = RemoteVolume(bare, target.volume.root, target.volume.vault)
    copy_delta(source, target, None, workspace, final=True)
    reader = RemoteReader(bare, target.volume.path(target.area(workspace)), framing=True)
    damaged, unusual_one = reader(
        [Entry(name, Kind.FILE, 0, 0, 0) for name in (b"damaged.parquet", b"unusual.parquet")]
    )
    assert "no footer at its place" in damaged.framing
    assert unusual_one.framing is None


def unusual(footer):
    """Return a footer that ends in another byte than usual, which readers do not mind."""
    return footer + b"\x01"


def tail(length):
    return length.to_bytes(4, "little") + b"PAR1"


def bare_python(folder):
    """Return a Python without packages."""
    path = folder / "python-bare"
    path.write_text('#!/bin/sh\nexec python3 -S "$@"\n')
    path.chmod(0o755)
    return path


def test_a_run_that_sealed_nothing_leaves_nothing(root, source, target, tmp_path):
    put(root, {"a": b"1"})
    workspace = target.catalog.workspace("a run")
    copy_delta(source, target, None, workspace, final=False)
    assert target.volume.areas("staged/*")
    target.discard(workspace)
    assert target.volume.areas("staged/*") == []


def test_a_pass_that_was_cut_off_goes_on_where_it_was(root, source, target):
    put(root, {f"{number:04d}": b"x" for number in range(20)})
    workspace = target.catalog.workspace("a run")
    first = copy_delta(source, target, None, workspace, final=False)
    second = copy_delta(source, target, None, workspace, final=True)
    assert (first.copied_files, second.copied_files, second.reused) == (20, 0, 20)


def test_another_worker_takes_over_and_the_former_one_is_refused(root, source, target, dr):
    put(root, {"a": b"1"})
    seal(source, target, "A")
    target.volume.do([], b"history/x")
    other = RemoteVolume(dr(conn_id="other_worker"), target.volume.root, target.volume.vault)
    other.take_over("apply")
    with pytest.raises(TransientError, match="another worker has taken over"):
        target.volume.do([], b"history/x")
    assert other.do([], b"history/y") == []


def test_shards_copy_beside_each_other_and_a_whole_pass_ends_what_is_left(root, target, dr, monkeypatch):
    monkeypatch.setattr(batches, "_RETRY_PAUSES", ())
    put(root, {"a": b"1", "b": b"2", "c": b"3"})
    a, b, c = (entry for entry in LocalTree(root).list())
    workspace = target.catalog.workspace("a run")

    def worker(name, *, alone):
        volume = RemoteVolume(dr(conn_id=name), target.volume.root, target.volume.vault)
        return folder_to_node(LocalTree(root), SshTarget(target.catalog, volume), workspace, alone=alone)

    one, other = worker("one", alone=False), worker("other", alone=False)
    assert [entry.path for entry in (*one([a]), *other([b]), *one([c]))] == [b"a", b"b", b"c"]
    whole = worker("whole", alone=True)
    for left in (one, other):
        with pytest.raises(TransientError, match="another worker has taken over"):
            left([a])
    assert whole([a])[0].path == b"a"
    assert len(list(Path(os.fsdecode(target.volume.vault), "fences").iterdir())) == 1


def test_room_that_there_is_not_is_refused_before_the_first_byte(target):
    with pytest.raises(PreconditionError, match="has no room"):
        target.ensure_room(size=1 << 60, files=1)


def test_a_vault_that_cannot_be_written(target, tmp_path, dr):
    volume = RemoteVolume(dr(), b"/proc/1/live", b"/proc/1/vault")
    with pytest.raises((ConfigurationError, TransientError, PreconditionError)) as caught:
        SshTarget(target.catalog, volume).initialise()
    assert "ssh://newyork_node1" in caught.value.where
    assert caught.value.fix


@pytest.mark.parametrize("inside", ["live/tenants", "vault/history/live"])
def test_a_replica_at_a_node_inside_of_what_another_installation_keeps_there(target, tmp_path, dr, inside):
    target.check()
    target.volume.vault = os.fsencode(tmp_path / "node/live.incorta-dr")
    target.initialise()
    root, vault = tmp_path / "node" / inside, tmp_path / "node/other.incorta-dr"
    root.mkdir(parents=True)
    other = Catalog(tmp_path / "other")
    other.initialise("globex", "paris")
    second = SshTarget(other, RemoteVolume(dr(), os.fsencode(root), os.fsencode(vault)))
    second.initialise()
    with pytest.raises(ConfigurationError, match=r"lies inside of .* of acme at newyork|of .* where acme at newyork"):
        second.check()
