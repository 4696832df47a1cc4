"""A snapshot is whole or torn, and says which; there is nothing in between."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.incorta.live import LiveTable
from lab.incorta.snapshot import SnapshotHeader, TornSnapshotError, outdated, read_snapshot, write_snapshot
from lab.incorta.storage import snapshot_file

HEADER = SnapshotHeader("NYC_FLIGHTS.FLIGHTS", 7, 1234)


def test_what_was_written_is_read_and_no_draft_is_left(tmp_path: Path) -> None:
    path = tmp_path / "ddm/S/T.ddm"
    write_snapshot(path, HEADER, b"first")
    write_snapshot(path, SnapshotHeader("S.T", 8, 0), b"")
    assert read_snapshot(path) == SnapshotHeader("S.T", 8, 0)
    assert [found.name for found in tmp_path.rglob("*") if found.is_file()] == ["T.ddm"]


@given(payload=st.binary(max_size=200), data=st.data())
def test_any_cut_and_any_changed_byte_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, payload: bytes, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("ddm") / "T.ddm"
    write_snapshot(path, HEADER, payload)
    whole = path.read_bytes()
    length = data.draw(st.integers(0, len(whole) - 1))
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[place] ^= data.draw(st.integers(1, 255))
    for torn in (whole[:length], bytes(changed), whole + b"\0"):
        path.write_bytes(torn)
        with pytest.raises(TornSnapshotError):
            read_snapshot(path)


def test_missing_older_newer_and_torn_snapshots_are_outdated(tmp_path: Path) -> None:
    tables = [LiveTable(number, "S", name, 5, 0) for number, name in enumerate("ABCDE")]
    for table, commit in zip(tables, (5, 4, 6, 5), strict=False):
        path = tmp_path / snapshot_file("acme", table.schema, table.name)
        write_snapshot(path, SnapshotHeader(table.full_name, commit, 0), b"x")
    (tmp_path / "acme/ddm/S/D.ddm").write_bytes(b"DDM1")
    assert [table.name for table in outdated(tmp_path, "acme", tables)] == ["B", "C", "D", "E"]
