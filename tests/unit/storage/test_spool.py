"""The way to a target that is no folder: by a spool folder, one file a thread."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from incorta_provider.dr.manifest import Entry
from incorta_provider.exceptions import TransientError
from incorta_provider.storage.spool import SpooledCopier
from incorta_provider.storage.tree import Missed
from incorta_provider.storage.work_pool import Limits
from incorta_provider.storage.workspace import Workspace
from tests.builders.storage import Pair, listed, make_pair, put


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path / "pair")


@pytest.fixture
def workspace(pair: Pair) -> Workspace:
    put(pair.source, {"a": b"1", "t/b": b"22", "gone": b""})
    return pair.catalog.workspace("run")


def test_each_file_is_handed_on_and_its_spool_removed(pair: Pair, workspace: Workspace) -> None:
    taken: dict[bytes, bytes] = {}

    def take(entry: Entry, spooled: bytes) -> Entry:
        taken[entry.path] = Path(os.fsdecode(spooled)).read_bytes()
        return entry._replace(version=b"v1")

    wanted = [entry for entry in pair.tree.list() if entry.kind == "file"]
    (pair.source / "gone").unlink()
    outcomes = SpooledCopier(pair.tree, workspace, take, Limits(helpers=False))(wanted)
    assert taken == {b"a": b"1", b"t/b": b"22"}
    assert [listed(entry) if isinstance(entry, Entry) else entry for entry in outcomes] == [
        listed(wanted[0]),
        Missed.VANISHED,
        listed(wanted[2]),
    ]
    assert [entry.version for entry in outcomes if isinstance(entry, Entry)] == [b"v1", b"v1"]
    assert list(workspace.partial.iterdir()) == []


def test_what_a_killed_run_left_in_the_spool_is_no_obstacle(pair: Pair, workspace: Workspace) -> None:
    def fail(entry: Entry, spooled: bytes) -> Entry:
        raise TransientError("busy")

    wanted = [entry for entry in pair.tree.list() if entry.path == b"a"]
    with pytest.raises(TransientError, match="busy"):
        SpooledCopier(pair.tree, workspace, fail, Limits())(wanted)
    assert list(workspace.partial.iterdir()) == []
