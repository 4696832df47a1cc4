from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.ssh.target import SshTarget
from incorta_provider.storage.ssh.tree import SshTree
from incorta_provider.storage.ssh.volume import RemoteVolume
from lab.servers.sshd import Sshd

Connect = Callable[..., ConnectionInfo]


def connection(sshd: Sshd, **changes: Any) -> ConnectionInfo:
    """Return a connection to a node of the lab; an extra that is None is left out."""
    fields: dict[str, Any] = {
        "conn_id": sshd.node.conn_id,
        "host": sshd.host,
        "port": sshd.port,
        "login": sshd.user,
        "extra": {},
        **changes,
    }
    usual = {"key_file": str(sshd.key_file), "host_key": sshd.host_key, "pull_key_file": str(sshd.key_file)}
    extra = {key: value for key, value in {**usual, **fields.pop("extra")}.items() if value is not None}
    return ConnectionInfo(extra=extra, **fields)


@pytest.fixture
def primary(sshd_nodes: dict[str, Sshd]) -> Connect:
    """Make connections to the primary site's node."""
    return lambda **changes: connection(sshd_nodes["berlin_node1"], **changes)


@pytest.fixture
def dr(sshd_nodes: dict[str, Sshd]) -> Connect:
    """Make connections to the DR site's node."""
    return lambda **changes: connection(sshd_nodes["newyork_node1"], **changes)


@pytest.fixture
def source(tmp_path: Path, primary: Connect) -> SshTree:
    (tmp_path / "source").mkdir()
    return SshTree(primary(), bytes(tmp_path / "source"))


@pytest.fixture
def root(tmp_path: Path, source: SshTree) -> Path:
    """The folder that ``source`` lists."""
    return tmp_path / "source"


@pytest.fixture
def target(tmp_path: Path, dr: Connect) -> SshTarget:
    """An empty replica at the DR node, with its catalog here."""
    (tmp_path / "node").mkdir()
    catalog = Catalog(tmp_path / "catalog")
    catalog.initialise("acme", "newyork")
    target = SshTarget(catalog, RemoteVolume(dr(), bytes(tmp_path / "node/live"), bytes(tmp_path / "node/vault")))
    target.initialise()
    return target


@pytest.fixture
def workspace(target: SshTarget) -> Workspace:
    return target.catalog.workspace("a run")
