"""Storage URLs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.local.target import LocalTarget
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.ssh.target import SshTarget
from incorta_provider.storage.ssh.tree import SshTree
from incorta_provider.storage.url import local_path, open_target, open_tree


def no_connections(conn_id: str) -> ConnectionInfo:
    raise AssertionError(f"{conn_id} was asked for")


@pytest.mark.parametrize(
    "path", [b"/mnt/Tenants", b"/with space", b"/100%", b"/a;b?c#d", "/größe".encode(), b"/not-utf8-\xff"]
)
def test_a_folder_is_found_again_by_its_url(path: bytes) -> None:
    folder = Path(os.fsdecode(path))
    assert local_path(folder.as_uri()) == folder


def test_localhost_is_here() -> None:
    assert local_path("file://localhost/mnt/x") == Path("/mnt/x")


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("nosuch://bucket/prefix", "no backend for 'nosuch'"),
        ("ssh:///path", "names no connection"),
        ("ssh://node", "must be absolute"),
        ("ssh://node/", "must be absolute"),
        ("ssh://node/a/%2e%2e/b", "must be absolute"),
        ("ssh://node/a?b", "must be written as %3F"),
        ("ssh://node/a[b]", "must be without"),
        ("/mnt/x", "no backend for 'no scheme'"),
        ("file://mnt/x", "names a host, 'mnt'"),
        ("file:///a?b", "must be written as %3F"),
        ("file:///a#b", "must be written as %3F or %23"),
        ("file:///a/../b", "absolute and without"),
        ("file:///a/%2e%2e/b", "absolute and without"),
        ("file:relative", "absolute and without"),
        ("file://", "absolute and without"),
    ],
)
def test_a_url_that_names_no_folder_is_refused(url: str, what: str) -> None:
    with pytest.raises(ConfigurationError, match=what) as caught:
        open_tree(url, no_connections)
    with pytest.raises(ConfigurationError, match=what):
        open_target(url, Catalog(Path("/catalog")), no_connections)
    assert caught.value.where == url


def test_a_tree_is_opened_without_touching_it(tmp_path: Path) -> None:
    tree = open_tree((tmp_path / "absent").as_uri(), no_connections, ("*.log",))
    assert isinstance(tree, LocalTree)
    assert tree.root == tmp_path / "absent"


def test_a_target_is_opened_without_touching_it(tmp_path: Path) -> None:
    target = open_target((tmp_path / "absent").as_uri(), Catalog(tmp_path / "catalog"), no_connections)
    assert isinstance(target, LocalTarget)
    assert target.label == str(tmp_path / "absent")


def test_a_vault_beside_the_catalog_is_refused_for_a_storage_that_is_mounted_here(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="only for a storage that is not mounted here"):
        open_target(tmp_path.as_uri(), Catalog(tmp_path / "catalog"), no_connections, vault="file:///vault")


def a_node(conn_id: str) -> ConnectionInfo:
    return ConnectionInfo(conn_id, host="node.example", login="incorta")


def test_a_folder_at_a_node_is_named_by_its_connection() -> None:
    tree = open_tree("ssh://Berlin_node1/mnt/with%20space/%FF/", a_node)
    assert isinstance(tree, SshTree)
    assert (tree.info.conn_id, tree.root) == ("Berlin_node1", b"/mnt/with space/\xff")
    assert tree.label == "ssh://Berlin_node1/mnt/with space/\\xff"


def test_the_vault_of_a_node_is_beside_the_replica_unless_told_otherwise() -> None:
    target = open_target("ssh://node/mnt/incorta", Catalog(Path("/catalog")), a_node)
    assert isinstance(target, SshTarget)
    assert target.volume.vault == b"/mnt/incorta.incorta-dr"
    target = open_target("ssh://node/mnt/incorta", Catalog(Path("/catalog")), a_node, "ssh://node/mnt/vault")
    assert isinstance(target, SshTarget)
    assert target.volume.vault == b"/mnt/vault"
    with pytest.raises(ConfigurationError, match="must be at the same node"):
        open_target("ssh://node/mnt/incorta", Catalog(Path("/catalog")), a_node, "ssh://other/mnt/vault")
