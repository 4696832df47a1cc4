"""Files that wait at the worker on their way to a bucket: a full disk there is told as that."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from incorta_provider.exceptions import PreconditionError
from incorta_provider.storage.copying import spool_room
from incorta_provider.storage.copying.free_space import RESERVE_BYTES, Room
from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.s3.spool import Spool


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "run")
    workspace.create()
    return workspace


def test_a_file_that_there_is_no_room_for_is_not_begun(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_room, "room", lambda _: Room(RESERVE_BYTES + 99, None))
    with Spool(workspace, 99):
        pass
    with pytest.raises(PreconditionError, match="100 bytes are needed") as caught, Spool(workspace, 100):
        pass
    assert caught.value.where == str(workspace.partial)


def test_a_disk_that_fills_up_meanwhile_is_named_and_nothing_stays(workspace: Workspace) -> None:
    def fill(spool: Spool) -> None:
        with spool:
            Path(spool.path.decode()).write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")

    spool = Spool(workspace, 1)
    with pytest.raises(PreconditionError, match="no room left") as caught:
        fill(spool)
    assert caught.value.where == spool.path.decode()
    assert list(workspace.partial.iterdir()) == []
