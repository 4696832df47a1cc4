"""A source through fsspec: SFTP of a real sshd, and the error for everything that is not a source."""

from __future__ import annotations

import os
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.dr.manifest import Entry, Kind
from incorta_provider.exceptions import ConfigurationError, DrError, IntegrityError, PreconditionError, TransientError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.local.target import LocalTarget
from incorta_provider.storage.tree import AskedTree, Missed
from incorta_provider.storage.url import open_target, open_tree
from lab.servers.sshd import Sshd
from tests.builders.storage import NS, put, snapshot
from tests.builders.tcp_cut import way_that_is_cut
from tests.integration.storage.s3.replication import Replication

pytestmark = pytest.mark.lab


@pytest.fixture
def node(sshd_nodes: dict[str, Sshd]) -> ConnectionInfo:
    sshd = sshd_nodes["berlin_node1"]
    extra = {"key_file": str(sshd.key_file), "host_key": sshd.host_key}
    return ConnectionInfo("berlin_node1", "ssh", sshd.host, sshd.port, sshd.user, extra=extra)


def test_a_tree_over_sftp_is_replicated(tmp_path: Path, node: ConnectionInfo) -> None:
    source = tmp_path / "source dir"
    put(source, {"a": b"1", "t/x": b"2" * 3_000_000, "t/deep/ü": b"3", "empty": None, "a-b": b"4"})
    tree = open_tree(f"sftp://berlin_node1{source.as_uri()[7:]}", lambda _: node)
    run = Replication(tmp_path, tree, lambda catalog: LocalTarget(tmp_path / "live", catalog), None)
    run.replicate("A")
    here, there = snapshot(source), snapshot(tmp_path / "live")
    assert {path: found[2:] for path, found in there.items()} == {path: found[2:] for path, found in here.items()}
    assert run.replicate("B").copied_files == 0
    put(source, {"a": b"22"})
    (source / "t/x").unlink()
    assert run.replicate("C").copied_files == 1
    assert (tmp_path / "live/a").read_bytes() == b"22"
    assert run.verify("C").equal


def test_it_can_be_sent_to_another_process(tmp_path: Path, node: ConnectionInfo) -> None:
    put(tmp_path / "s", {"a": b"1"})
    tree = pickle.loads(pickle.dumps(open_tree(f"sftp://n{tmp_path}/s", lambda _: node)))
    (entry,) = tree.list()
    assert tree.fetch(entry, bytes(tmp_path / "into")).size == 1
    (tmp_path / "s/a").unlink()
    assert tree.fetch(entry, bytes(tmp_path / "again")) is Missed.VANISHED
    assert not (tmp_path / "again").exists()


def test_several_threads_each_get_their_answers(tmp_path: Path, node: ConnectionInfo) -> None:
    put(tmp_path / "s", {f"{number:03d}": b"%d" % number for number in range(200)})
    tree = open_tree(f"sftp://n{tmp_path}/s", lambda _: node)

    def size(entry: Entry) -> int:
        fetched = tree.fetch(entry, bytes(tmp_path / entry.path.decode()))
        assert isinstance(fetched, Entry)
        return fetched.size

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(size, list(tree.list()))) == 10 + 2 * 90 + 3 * 100


def test_links_are_refused_by_name(tmp_path: Path, node: ConnectionInfo) -> None:
    put(tmp_path / "s", {"a": b"1"})
    (tmp_path / "s/link").symlink_to("a")
    with pytest.raises(IntegrityError, match="link is a link"):
        list(open_tree(f"sftp://n{tmp_path}/s", lambda _: node).list())


def test_a_connection_that_is_cut_is_transient_and_made_anew(tmp_path: Path, node: ConnectionInfo) -> None:
    put(tmp_path / "s", {"a": b"1" * 3_000_000, "b": b"2"})
    with way_that_is_cut(node.host, node.port or 22, after=1 << 30) as way:
        tree = open_tree(f"sftp://n{tmp_path}/s", lambda _: replace(node, port=way.port, extra=node.extra))
        first, second = tree.list()
        way.close()
        with pytest.raises(TransientError, match="reading a failed"):
            tree.fetch(first, bytes(tmp_path / "into"))
        assert not (tmp_path / "into").exists()
        for entry in (first, second):
            fetched = tree.fetch(entry, bytes(tmp_path / entry.path.decode()))
            assert isinstance(fetched, Entry)
            assert fetched.size == entry.size


def test_a_source_that_goes_away_under_its_listing_is_refused(tmp_path: Path, node: ConnectionInfo) -> None:
    root = tmp_path / "s"
    put(root, {"a": b"1", "t/x": b"2"})
    tree = open_tree(f"sftp://n{root}", lambda _: node)
    listing = tree.list()
    assert next(listing).path == b"a"
    shutil.rmtree(root)
    with pytest.raises(PreconditionError, match="no such folder"):
        list(listing)


def test_one_path_is_asked_about_without_a_listing(tmp_path: Path, node: ConnectionInfo) -> None:
    put(tmp_path / "s", {"keep/.incorta": b"", "t/x": b"2"})
    tree = open_tree(f"sftp://n{tmp_path}/s", lambda _: node)
    assert isinstance(tree, AskedTree)
    assert [tree.holds(path) for path in (b"keep/.incorta", b"keep", b"absent", b"no/such")] == [True, *[False] * 3]


def test_another_host_key_is_refused(tmp_path: Path, node: ConnectionInfo, sshd_nodes: dict[str, Sshd]) -> None:
    wrong = replace(node, extra={**node.extra, "host_key": sshd_nodes["newyork_node1"].host_key})
    with pytest.raises(DrError, match="host key"):
        list(open_tree(f"sftp://n{tmp_path}", lambda _: wrong).list())


def test_a_folder_that_is_absent_or_empty_is_no_source(tmp_path: Path, node: ConnectionInfo) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PreconditionError, match="empty"):
        open_tree(f"sftp://n{tmp_path}/empty", lambda _: node).check()
    with pytest.raises(PreconditionError, match="no such folder"):
        open_tree(f"sftp://n{tmp_path}/absent", lambda _: node).check()


def test_any_file_system_of_fsspec_is_a_source(tmp_path: Path) -> None:
    put(tmp_path / "s", {"a": b"1", "t/x": b"2"})
    os.utime(tmp_path / "s/a", ns=(NS, NS))  # fsspec tells a float, which is good to about a quarter of a microsecond
    info = ConnectionInfo("c", extra={"fsspec": {"auto_mkdir": False}})
    tree = open_tree(f"local://c@{tmp_path}/s", lambda _: info)
    found = [(entry.path, entry.kind) for entry in tree.list()]
    assert found == [(b"a", Kind.FILE), (b"t", Kind.DIR), (b"t/x", Kind.FILE)]
    fetched = tree.fetch(next(iter(tree.list())), bytes(tmp_path / "into"))
    assert isinstance(fetched, Entry)
    assert fetched.mtime_ns // 1000 == (tmp_path / "s/a").stat().st_mtime_ns // 1000
    assert (tmp_path / "into").stat().st_mode & 0o777 == fetched.mode


@pytest.mark.parametrize("url", ["sftp://n/live", "gs://c@bucket/x", "hdfs://c@name/x"])
def test_it_is_no_target(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match="as a target, only for file://, ssh:// and s3://"):
        open_target(url, Catalog(tmp_path), lambda _: ConnectionInfo("c"))


def test_what_is_not_installed_is_named(tmp_path: Path) -> None:
    tree = open_tree("hdfs://c@name/x", lambda _: ConnectionInfo("c", extra={"fsspec": {"no_such": 1}}))
    with pytest.raises(ConfigurationError, match="no access to hdfs://"):
        tree.check()
