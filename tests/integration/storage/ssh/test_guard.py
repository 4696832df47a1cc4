"""The change breaker before a source behind a node: B40, with its pin and its line in the ledger."""

from __future__ import annotations

import shutil

import pytest

from incorta_provider.dr.breaker import Limits
from incorta_provider.exceptions import PreconditionError
from incorta_provider.steps.access import GroupAccess
from incorta_provider.steps.replication.copy import pre_copy
from incorta_provider.steps.replication.open import open_run
from incorta_provider.steps.replication.run import ReplicationRun
from incorta_provider.storage.records.pins import Pins
from tests.builders.disks import mounted
from tests.builders.group import ACTOR, make_bench
from tests.builders.sealing import sealed
from tests.builders.storage import put

pytestmark = pytest.mark.lab


@pytest.fixture
def bench(tmp_path, monkeypatch):
    return make_bench(tmp_path, monkeypatch)


@pytest.fixture
def run_of(bench, primary):
    """Make runs whose source is at the primary's node; nothing of it is reached by a mount."""

    def make(run_id, *, mount_point=None, **group_fields):
        sites = dict(bench.access.config.sites)
        changed = {"storage": f"ssh://berlin_node1{bench.storage('berlin')}", "mount_point": mount_point}
        sites["berlin"] = sites["berlin"].model_copy(update=changed)
        config = bench.access.config.model_copy(update={"sites": sites, **group_fields})
        usual = bench.access.connections
        access = GroupAccess(
            "acme", config, lambda name: primary() if name == "berlin_node1" else usual(name), bench.clock
        )
        return ReplicationRun(access, access.site("newyork"), run_id, ACTOR)

    return make


def stopped(run):
    open_run(run)
    with pytest.raises(PreconditionError, match="the change breaker stopped this run") as caught:
        pre_copy(run)
    return caught.value


@pytest.mark.parametrize(
    "what", ["is empty", "does not exist", pytest.param("is not a folder", marks=pytest.mark.chaos)]
)
def test_a_source_that_is_gone_trips_the_breaker_and_pins_the_last_good_point(bench, run_of, what):
    root = bench.storage("berlin")
    put(root, {"a": b"1"})
    point = sealed(run_of("scheduled__1"))
    bench.clock.go_on(3600)
    shutil.rmtree(root)
    if what == "is empty":
        root.mkdir()
    elif what == "is not a folder":
        root.write_text("a file")
    error = stopped(run_of("scheduled__2"))
    assert error.what == f"the change breaker stopped this run:\n  the storage {what} [ssh://berlin_node1{root}]"
    assert error.where == "source berlin"
    assert [pin.point for pin in Pins(bench.catalog).all()] == [point.id]
    assert bench.last("breaker.tripped")["pinned"] == point.id


def test_a_source_that_lists_no_file_by_now(bench, run_of):
    put(bench.storage("berlin"), {"folder/a": b"1"})
    sealed(run_of("scheduled__1"))
    bench.clock.go_on(3600)
    (bench.storage("berlin") / "folder/a").unlink()
    assert "the source lists no file, and had 1 before" in stopped(run_of("scheduled__2")).what


def test_the_mount_point_is_looked_at_where_the_storage_is(bench, run_of, monkeypatch):
    """At the node, by its agent: what is mounted at the worker says nothing."""
    root = bench.storage("berlin")
    put(root, {"a": b"1"})
    monkeypatch.setattr("os.path.ismount", lambda _: True)
    error = stopped(run_of("scheduled__1", mount_point=str(root)))
    assert f"nothing is mounted at {root}, where the storage of berlin should be" in error.what
    root.rename(root.with_name("away"))
    with mounted(root, "size=10m"):
        put(root, {"a": b"1"})
        bench.clock.go_on(3600)
        run = run_of("scheduled__2", mount_point=str(root))
        open_run(run)
        assert pre_copy(run).listed_files == 1
    assert "nothing is mounted" in stopped(run_of("scheduled__3", mount_point=str(root))).what


def test_a_file_system_that_is_gone_from_inside_the_source_is_no_deletion(bench, run_of):
    root = bench.storage("berlin")
    put(root, {"a": b"1", "nested": None})
    with mounted(root / "nested"):
        put(root, {"nested/b": b"2"})
        sealed(run_of("scheduled__1"))
    bench.clock.go_on(3600)
    assert "nothing is mounted at nested, as there was at the point before" in stopped(run_of("scheduled__2")).what


@pytest.mark.parametrize("there", ["absent", pytest.param("a folder", marks=pytest.mark.chaos), "a file"])
def test_a_marker_must_be_there(bench, run_of, there):
    put(bench.storage("berlin"), {"keep/one": b"1"})
    if there != "absent":
        put(bench.storage("berlin"), {"keep/.incorta": None if there == "a folder" else b""})
    run = run_of("scheduled__1", breaker=Limits(marker="keep/.incorta"))
    if there == "a file":
        open_run(run)
        assert pre_copy(run).listed_files == 2
    else:
        assert "the marker file keep/.incorta is not in ssh://berlin_node1/" in stopped(run).what
