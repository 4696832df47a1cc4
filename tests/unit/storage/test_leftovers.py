"""What the vault keeps and no retained point needs; what one needs is never named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from incorta_provider.dr.manifest import Kind
from incorta_provider.storage.apply.actual import mark_diverged
from incorta_provider.storage.vault import leftovers
from tests.builders.storage import Pair, make_pair, put, snapshot


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path / "pair")


def publish(pair: Pair, name: str, minute: int) -> dict[bytes, tuple[object, ...]]:
    pair.seal(name, minute=minute)
    pair.apply(name)
    return snapshot(pair.source, times=True)


def left(pair: Pair, *retained: str) -> list[tuple[bytes, int]]:
    """Return what is left over when these points stay and all others go."""
    stay = [pair.catalog.manifest_path(name) for name in retained]
    go = [pair.catalog.manifest_path(point.id) for point in pair.catalog.points() if point.id not in retained]
    return list(pair.target.leftovers(stay, go))


def test_what_only_a_point_that_goes_needs_is_left_over(pair: Pair) -> None:
    put(pair.source, {"a": b"1", "t/b": b"22", "same": b"0"})
    publish(pair, "A", 0)
    put(pair.source, {"a": b"333", "t/b": b"4444"})
    publish(pair, "B", 1)
    put(pair.source, {"a": b"55555"})
    publish(pair, "C", 2)
    assert left(pair, "A", "B", "C") == []
    assert left(pair, "B", "C") == [(b"history/A/files/a", 1), (b"history/A/files/t/b", 2)]
    assert left(pair, "C") == [
        (b"history/A/files/a", 1),
        (b"history/B/files/a", 3),
        (b"history/A/files/t/b", 2),
    ]


def test_every_retained_point_is_reached_when_the_rest_is_forgotten(pair: Pair) -> None:
    states = {}
    for minute, name in enumerate("ABCD"):
        put(pair.source, {"a": name.encode() * (minute + 1), f"only {name}": b"1", "back": name.encode()})
        states[name] = publish(pair, name, minute)
        (pair.source / f"only {name}").unlink()
    pair.target.forget(place for place, _ in left(pair, "B", "D"))
    for name in ("B", "D", "B"):
        pair.apply(name)
        assert snapshot(pair.live, times=True) == states[name]


def test_a_file_of_the_same_size_and_another_time_is_read_before_it_counts_as_left_over(pair: Pair) -> None:
    put(pair.source, {"a": b"1", "b": b"1"})
    publish(pair, "A", 0)
    put(pair.source, {"a": b"2", "b": b"2"})
    publish(pair, "B", 1)
    os.utime(pair.catalog.history / "A" / "files" / "a", ns=(1, 1))
    assert left(pair, "A", "B") == []
    assert [place for place, _ in left(pair, "B")] == [b"history/A/files/a", b"history/A/files/b"]


def test_what_a_point_brought_and_no_apply_took_is_kept_for_the_points_behind_it(pair: Pair) -> None:
    put(pair.source, {"a": b"1", "b": b"1"})
    pair.seal("A", minute=0)
    put(pair.source, {"b": b"22"})
    pair.seal("B", minute=1)
    assert left(pair, "B") == [(b"points/A/files/b", 1)]
    pair.target.forget(iter([b"points/A/files/b"]))
    pair.apply("B")
    assert snapshot(pair.live, times=True) == snapshot(pair.source, times=True)


def test_what_a_run_has_staged_is_no_leftover(pair: Pair) -> None:
    put(pair.source, {"a": b"1"})
    publish(pair, "A", 0)
    put(pair.source, {"b": b"1"})
    pair.copy(pair.catalog.workspace("run"))
    assert left(pair, "A") == []


def test_only_files_are_named(pair: Pair) -> None:
    put(pair.source, {"t/u": None, "x": b"1"})
    (pair.source / "link").symlink_to("x")
    publish(pair, "A", 0)
    (pair.source / "t" / "u").rmdir()
    (pair.source / "link").unlink()
    publish(pair, "B", 1)
    assert left(pair, "B") == []
    assert {entry.kind for entry in pair.target.volume.kept(b"history/A/files")} <= {Kind.FILE}


def test_what_no_point_ever_named_stays(pair: Pair) -> None:
    """Written at this site, by hand or by services: nobody else may have it."""
    put(pair.live, {"before the first apply": b"1"})
    put(pair.source, {"a": b"1"})
    publish(pair, "A", 0)
    put(pair.live, {"by hand": b"22", "a": b"333"})
    mark_diverged(pair.catalog)
    put(pair.source, {"a": b"4444"})
    publish(pair, "B", 1)
    assert left(pair, "B") == []
    kept = {facts[2] for facts in snapshot(pair.catalog.history).values() if facts[0] == "file"}
    assert kept == {b"1", b"22", b"333"}


def test_what_was_staged_and_is_in_no_point_goes(pair: Pair) -> None:
    put(pair.source, {"a": b"1"})
    pair.seal("A")
    put(pair.catalog.point_dir("A") / "files", {"left out": b"22"})
    assert left(pair, "A") == [(b"points/A/files/left out", 2)]


def test_a_point_that_is_sealed_meanwhile_loses_nothing(pair: Pair) -> None:
    put(pair.source, {"a": b"1"})
    publish(pair, "A", 0)
    put(pair.source, {"b": b"22"})
    found = pair.target.leftovers([pair.catalog.manifest_path("A")], [])
    pair.seal("B", minute=1)
    assert list(found) == []


def test_of_a_point_whose_record_is_damaged_nothing_goes(pair: Pair) -> None:
    put(pair.source, {"a": b"1"})
    pair.seal("A", minute=0)
    put(pair.source, {"a": b"22"})
    publish(pair, "B", 1)
    (pair.catalog.point_dir("A") / "point.json").write_text("{")
    assert left(pair, "A", "B") == []
    assert left(pair, "B") == []


def test_many_kept_files_are_looked_at_some_at_a_time(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "AT_ONCE", 3)
    names = [f"t/{number:02d}" for number in range(20)]
    for minute, name in enumerate("ABC"):
        put(pair.source, {path: name.encode() * (minute + 1) for path in names[minute:]})
        publish(pair, name, minute)
    assert left(pair, "A", "B", "C") == []
    assert [place for place, _ in left(pair, "A", "C")] == [f"history/B/files/{path}".encode() for path in names[2:]]
    assert left(pair, "C") == [
        (f"history/{point}/files/{path}".encode(), size)
        for path in names
        for point, size, first in (("A", 1, 1), ("B", 2, 2))
        if path in names[first:]
    ]
