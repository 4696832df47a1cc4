"""What a disk refused at a node is told until a worker has heard it: the kernel tells it only once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import DrError, LostWritesError
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.local.volume import LocalVolume
from incorta_provider.storage.ssh import target as target_module
from incorta_provider.storage.ssh import volume as volume_module
from incorta_provider.storage.ssh.agent_vault import VAULT_WORK
from incorta_provider.storage.ssh.node_agent import LostError
from incorta_provider.storage.ssh.target import SshTarget
from incorta_provider.storage.ssh.volume import RemoteVolume
from incorta_provider.storage.ssh.wire import Message


class Here:
    """A node whose agent is this process.

    :ivar lose: answers that are lost on their way.
    """

    def __init__(self) -> None:
        self.lose = 0

    def stream(self, do: str, body: bytes = b"", **head: Any) -> Iterator[Message]:
        try:
            return iter(list(VAULT_WORK[do](head, body)))
        finally:
            if self.lose:
                self.lose -= 1
                raise LostError("the connection was lost", where="here", fix="Again.")

    def call(self, do: str, body: bytes = b"", **head: Any) -> list[Message]:
        return list(self.stream(do, body, **head))


class Disk:
    """Refuses once, with this error."""

    def __init__(self, error: DrError) -> None:
        self.errors = [error]
        self.calls = 0

    def sync(self) -> None:
        self.calls += 1
        if self.errors:
            raise self.errors.pop()


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Here:
    here = Here()
    monkeypatch.setattr(volume_module, "node_of", lambda _: here)
    return here


@pytest.fixture
def volume(tmp_path: Path, node: Here) -> RemoteVolume:
    (tmp_path / "vault").mkdir()
    return RemoteVolume(ConnectionInfo("newyork_node1"), bytes(tmp_path / "live"), bytes(tmp_path / "vault"))


def refusing(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk(LostWritesError("the disk did not take all", where="/vault", fix="Check the disk."))
    monkeypatch.setattr(LocalVolume, "sync", disk.sync)
    return disk


def test_a_refusal_that_was_heard_is_told_once(volume: RemoteVolume, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = refusing(monkeypatch)
    with pytest.raises(LostWritesError, match="the disk did not take all") as caught:
        volume.sync()
    assert (caught.value.where, caught.value.fix) == ("/vault", "Check the disk.")
    volume.heard()
    volume.sync()
    assert disk.calls == 2


@pytest.mark.parametrize("lost", [1, 2])
def test_a_refusal_whose_answer_was_lost_is_told_again(
    volume: RemoteVolume, node: Here, monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    disk = refusing(monkeypatch)
    node.lose = lost
    for _ in range(lost):
        with pytest.raises(LostError):
            volume.sync()
    with pytest.raises(LostWritesError, match="the disk did not take all") as caught:
        volume.sync()
    assert caught.value.where == "/vault"
    assert disk.calls == 1, "a second call of the kernel would say that all is well"
    volume.heard()
    volume.sync()


def test_a_worker_that_dies_before_the_runs_are_void_is_told_again(
    volume: RemoteVolume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(monkeypatch)
    catalog = Catalog(tmp_path / "catalog")
    catalog.initialise("acme", "newyork")
    target, workspace = SshTarget(catalog, volume), catalog.workspace("a run")

    def killed(_: Workspace) -> None:
        raise SystemExit(9)

    with monkeypatch.context() as patched:
        patched.setattr(Workspace, "void", killed)
        with pytest.raises(SystemExit):
            target.flush(workspace)
    with pytest.raises(LostWritesError):
        target.flush(workspace)
    assert workspace.is_void
    target.flush(workspace)


def test_records_that_the_disk_refuses_void_what_runs_staged(
    volume: RemoteVolume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(monkeypatch)
    catalog = Catalog(tmp_path / "catalog")
    catalog.initialise("acme", "newyork")
    workspace = catalog.workspace("a run")
    catalog.point_dir("A").mkdir()
    monkeypatch.setattr(target_module, "PushThere", lambda *_, **__: None)
    monkeypatch.setattr(target_module, "BatchCopier", lambda *_: list)
    with pytest.raises(LostWritesError):
        SshTarget(catalog, volume).keep_records("A")
    assert workspace.is_void


def test_what_was_staged_is_void_though_the_first_answer_was_lost(
    volume: RemoteVolume, node: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(monkeypatch)
    catalog = Catalog(tmp_path / "catalog")
    catalog.initialise("acme", "newyork")
    target, workspace = SshTarget(catalog, volume), catalog.workspace("a run")
    node.lose = 1
    with pytest.raises(LostError):
        target.flush(workspace)
    with pytest.raises(LostWritesError):
        target.flush(workspace)
    assert workspace.is_void


def test_a_refusal_that_cannot_be_written_down_is_told_all_the_same(
    volume: RemoteVolume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(monkeypatch)
    (tmp_path / "vault").rmdir()
    with pytest.raises(LostWritesError, match="the disk did not take all"):
        volume.sync()


def test_a_vault_that_cannot_be_read_is_told_as_such(volume: RemoteVolume, tmp_path: Path) -> None:
    (tmp_path / "vault/refused.json").symlink_to("refused.json")
    with pytest.raises(DrError, match="Too many levels of symbolic links"):
        volume.sync()
