"""A replica whose record cannot be believed is brought to a point from what is found there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from incorta_provider.dr.manifest import Entry
from incorta_provider.exceptions import IntegrityError
from incorta_provider.storage.apply.actual import actual_path, is_diverged, mark_diverged
from incorta_provider.storage.apply.redo_journal import Step
from incorta_provider.storage.apply.replica import Replica
from incorta_provider.storage.digests import Reader
from incorta_provider.storage.local import volume as local_volume
from tests.builders.storage import Pair, make_pair, put, snapshot

State = dict[bytes, tuple[object, ...]]


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path / "pair")


@pytest.fixture
def states(pair: Pair) -> dict[str, State]:
    """Seal A and B and apply both, so that what A had and B has not lies in the history; return what each is."""
    states = {}
    put(pair.source, {"a": b"1", "same": b"0", "t/only in A": b"1"})
    for number, name in enumerate(("A", "B")):
        pair.seal(name, minute=number)
        pair.apply(name)
        states[name] = snapshot(pair.source, times=True)
        put(pair.source, {"a": b"22", "t/only in B": b"2"})
        (pair.source / "t" / "only in A").unlink(missing_ok=True)
    return states


def work_in(live: Path) -> None:
    """Do what services do: new files, changed ones, removed ones."""
    put(live, {"a": b"written after the start", "new/file": b"new"})
    (live / "t" / "only in B").unlink()


def test_a_second_cutover_to_the_same_point_starts_from_what_the_services_left(
    pair: Pair, states: dict[str, State]
) -> None:
    pair.apply("A")
    mark_diverged(pair.catalog)
    put(pair.live, {"a": b"9", "new/file": b"new"})
    with pytest.raises(IntegrityError, match=r"1 file\(s\) of the recovery point are nowhere"):
        pair.apply("A")
    assert is_diverged(pair.catalog)
    put(pair.catalog.history / "elsewhere" / "files", {"a": b"1"})
    report = pair.apply("A")
    assert snapshot(pair.live, times=True) == states["A"]
    assert (report.moved, report.removed, report.kept) == (1, 1, 2)
    assert not is_diverged(pair.catalog)
    assert not pair.catalog.journal.exists()
    kept = [path.read_bytes() for path in pair.catalog.history.glob("*/files/new/file")]
    assert kept == [b"new"]


def test_another_point_is_reached_though_the_record_is_no_longer_true(pair: Pair, states: dict[str, State]) -> None:
    mark_diverged(pair.catalog)
    work_in(pair.live)
    pair.apply("A")
    assert snapshot(pair.live, times=True) == states["A"]
    assert pair.catalog.live_point_id() == "A"


def test_what_the_services_did_not_touch_is_neither_moved_nor_read(
    pair: Pair, states: dict[str, State], monkeypatch: pytest.MonkeyPatch
) -> None:
    mark_diverged(pair.catalog)
    before = (pair.live / "same").stat()
    read: list[Entry] = []
    monkeypatch.setattr(Reader, "__call__", lambda _, batch: read.extend(batch) or [])
    pair.apply("B")
    assert read == []
    assert (pair.live / "same").stat().st_ino == before.st_ino


def test_a_file_that_was_written_again_with_the_same_bytes_stays(pair: Pair, states: dict[str, State]) -> None:
    mark_diverged(pair.catalog)
    os.utime(pair.live / "same", ns=(1, 1))
    pair.apply("B")
    assert snapshot(pair.live, times=True) == states["B"]


def test_a_suspect_is_read_however_it_looks(pair: Pair, states: dict[str, State]) -> None:
    facts = (pair.live / "same").stat()
    (pair.live / "same").write_bytes(b"X")
    os.utime(pair.live / "same", ns=(facts.st_mtime_ns, facts.st_mtime_ns))
    put(pair.catalog.history / "elsewhere" / "files", {"same": b"0"})
    pair.target.apply("B", suspects=())
    assert (pair.live / "same").read_bytes() == b"X"
    pair.target.apply("B", suspects=(b"same",))
    assert snapshot(pair.live, times=True) == states["B"]


@pytest.mark.parametrize("done", range(6))
def test_killed_after_any_step_it_goes_on_from_the_same_findings(
    pair: Pair, states: dict[str, State], monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    mark_diverged(pair.catalog)
    work_in(pair.live)
    left = iter(range(done))

    class Dying(Replica):
        def do(self, step: Step) -> None:
            if next(left, None) is None:
                raise KeyboardInterrupt
            super().do(step)

    with monkeypatch.context() as patch:
        patch.setattr(local_volume, "Replica", Dying)
        try:
            pair.apply("A")
        except KeyboardInterrupt:
            assert pair.catalog.journal.exists()
            assert actual_path(pair.catalog).exists()
            assert is_diverged(pair.catalog)
    pair.apply("A")
    assert snapshot(pair.live, times=True) == states["A"]
    assert not is_diverged(pair.catalog)
