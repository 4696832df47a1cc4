"""A disk of the worker that is full: files on their way to a bucket wait there, and it is told as what it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from incorta_provider.exceptions import PreconditionError
from incorta_provider.storage.copying import room_on_the_way, spool_room
from incorta_provider.storage.local.tree import LocalTree
from lab.servers.ceph import CephS3
from tests.builders.disks import mounted, remount
from tests.builders.s3 import make_bucket
from tests.builders.storage import put
from tests.integration.storage.s3.replication import Replication

pytestmark = pytest.mark.lab

MIB = 1 << 20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Lend a file system of 10 MiB."""
    with mounted(tmp_path / "small", "size=10m") as place:
        yield place


def test_a_file_that_does_not_fit_here_is_refused_before_and_in_the_middle(
    tmp_path: Path, small: Path, s3_server: CephS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_bucket(s3_server)
    put(tmp_path / "source", {"big": b"1" * 12 * MIB})
    run = Replication(small, LocalTree(tmp_path / "source"), site.target, site)
    with pytest.raises(PreconditionError, match=f"no room at the worker.*: {12 * MIB} bytes may be on") as caught:
        run.seal("A")
    partial = run.catalog.workspace("run of A").partial
    assert caught.value.where == str(partial)
    with monkeypatch.context() as patch:
        for asking in (room_on_the_way, spool_room):
            patch.setattr(asking, "RESERVE_BYTES", -12 * MIB)
        with pytest.raises(PreconditionError, match="no room left: No space left on device") as caught:
            run.seal("A")
    assert caught.value.where.startswith(f"{partial}/spool-")
    assert list(partial.iterdir()) == []
    assert run.catalog.points() == []
    remount(small, "size=200m")
    run.replicate("A")
    assert run.content() == {b"big": b"1" * 12 * MIB}


def test_files_that_fit_one_by_one_and_not_together_are_refused_before_the_first(
    tmp_path: Path, small: Path, s3_server: CephS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four helpers bring one file each at the same moment."""
    site = make_bucket(s3_server)
    put(tmp_path / "source", {"one": b"1" * 9 * MIB, "small": b"1", "two": b"2" * 9 * MIB})
    run = Replication(small, LocalTree(tmp_path / "source"), site.target, site)
    for asking in (room_on_the_way, spool_room):
        monkeypatch.setattr(asking, "RESERVE_BYTES", 0)
    with pytest.raises(PreconditionError, match=f"no room at the worker.*: {18 * MIB} bytes may be on"):
        run.seal("A")
    assert run.content() == {}
