"""Whatever happened to the source, and whatever way is taken: each retained point comes back byte by byte."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incorta_provider.dr.diff import diff
from incorta_provider.storage.copying.checks import verify_staged
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.manifest.manifest_file import read_manifest
from incorta_provider.storage.verify import verify_replica
from tests.builders.storage import HOSTILE_NAMES, Pair, complete, folder_in_memory, make_pair, make_point, put, snapshot

NAMES = st.sampled_from([b"a", b"a-", b"a.b", *HOSTILE_NAMES[:8]])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(b"/".join)
CONTENTS = st.sampled_from([b"", b"1", b"2", b"33", b"44"])
CHANGES = st.one_of(
    st.tuples(st.just("write"), PATHS, CONTENTS),
    st.tuples(st.just("folder"), PATHS, st.just(b"")),
    st.tuples(st.just("link"), PATHS, st.sampled_from([b"a", b"nowhere"])),
    st.tuples(st.just("remove"), PATHS, st.just(b"")),
    st.tuples(st.just("mode"), PATHS, st.sampled_from([b"600", b"644", b"755"])),
)
Change = tuple[str, bytes, bytes]
ROUNDS = st.lists(st.lists(CHANGES, max_size=6), min_size=2, max_size=4)
LOTS = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@contextmanager
def lent_pair() -> Iterator[Pair]:
    with folder_in_memory() as folder:
        pair = make_pair(folder / "pair")
        put(pair.source, {b"always": b"here"})
        yield pair


def change(root: Path, steps: list[Change]) -> None:
    """Change a tree; what does not fit (a file in a file) is left."""
    for verb, name, value in steps:
        path = Path(os.fsdecode(os.fsencode(root) + b"/" + name))
        if any(parent.is_symlink() or parent.is_file() for parent in path.parents if root in parent.parents):
            continue
        if verb == "mode":
            if path.exists() and not path.is_symlink():
                path.chmod(int(value, 8) | (0o100 if path.is_dir() else 0))
            continue
        remove(path)
        if verb == "write":
            put(root, {name: value})
        elif verb == "folder":
            path.mkdir(parents=True)
        elif verb == "link":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(os.fsdecode(value))


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def seal(pair: Pair, number: int, before_final: list[Change]) -> None:
    """Make a point; the source changes between the two copies, too."""
    workspace = pair.catalog.workspace(f"run of P{number}")
    pair.copy(workspace)
    change(pair.source, before_final)
    pair.copy(workspace, final=True)
    assert verify_staged(pair.target, workspace).damaged == ()
    complete(workspace)
    pair.catalog.seal(workspace, make_point(f"P{number}", workspace, minute=number))


def ensure_is(pair: Pair, number: int) -> None:
    """The replica is the point: by its manifest, deep, and its listing leads nowhere else."""
    manifest = pair.catalog.manifest_path(f"P{number}")
    report = verify_replica(pair.target, manifest, deep=True)
    assert report.equal, report
    expected = [entry for entry in read_manifest(manifest) if entry.kind != "link"]
    found = [entry for entry in LocalTree(pair.live).list() if entry.kind != "link"]
    assert list(diff(expected, found)) == []


@LOTS
@given(rounds=ROUNDS, between=st.lists(CHANGES, max_size=3), way=st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_every_retained_point_can_be_reached_from_every_other(
    rounds: list[list[Change]], between: list[Change], way: list[int]
) -> None:
    with lent_pair() as pair:
        for number, steps in enumerate(rounds):
            change(pair.source, steps)
            seal(pair, number, between)
            if number % 2 == 0:
                pair.apply(f"P{number}")
                ensure_is(pair, number)
        for stop in (*way, 0, len(rounds) - 1):
            number = stop % len(rounds)
            pair.apply(f"P{number}")
            ensure_is(pair, number)


@LOTS
@given(rounds=ROUNDS)
def test_a_point_of_a_source_at_rest_is_the_source(rounds: list[list[Change]]) -> None:
    with lent_pair() as pair:
        states = []
        for number, steps in enumerate(rounds):
            change(pair.source, steps)
            seal(pair, number, [])
            states.append(snapshot(pair.source, times=True))
        for number in reversed(range(len(rounds))):
            pair.apply(f"P{number}")
            assert snapshot(pair.live, times=True) == states[number]


@LOTS
@given(rounds=ROUNDS, drift=st.lists(CHANGES, min_size=1, max_size=4))
def test_what_is_written_by_hand_is_never_lost_and_never_an_endless_refusal(
    rounds: list[list[Change]], drift: list[Change]
) -> None:
    """B51: a later point replaces it or the compare names it; an apply does not fail over it."""
    with lent_pair() as pair:
        for number, steps in enumerate(rounds):
            change(pair.source, steps)
            seal(pair, number, [])
        pair.apply("P0")
        written = [cast("bytes", value) for verb, _, value in drift if verb == "write"]
        change(pair.live, drift)
        by_hand = [facts[2] for facts in snapshot(pair.live).values() if facts[0] == "file"]
        pair.apply(f"P{len(rounds) - 1}")
        assert pair.catalog.live_point_id() == f"P{len(rounds) - 1}"
        kept = [facts[2] for facts in snapshot(pair.live).values() if facts[0] == "file"]
        kept += [facts[2] for facts in snapshot(pair.catalog.history).values() if facts[0] == "file"]
        assert set(written) & set(by_hand) <= set(kept)
