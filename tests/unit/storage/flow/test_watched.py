"""Long work that is not a copy: it ends when it shows no sign of life, and goes on as long as it does."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from incorta_provider.dr.manifest import Entry
from incorta_provider.exceptions import IntegrityError, TransientError
from incorta_provider.storage import catalog
from incorta_provider.storage.copying.read_ahead import read_ahead
from incorta_provider.storage.copying.transfer import copy_delta
from incorta_provider.storage.digests import Reader, Reading
from incorta_provider.storage.flow import crew
from incorta_provider.storage.flow.board import Board
from incorta_provider.storage.flow.oversight import Controls
from incorta_provider.storage.flow.throttle import Throttle, alive, handed_on
from incorta_provider.storage.flow.watchdog import StalledError, Stillness
from incorta_provider.storage.flow.watched import Telling, watched
from incorta_provider.storage.local.tree import LocalTree
from incorta_provider.storage.manifest.manifest_file import read_manifest
from tests.builders.storage import complete, file, make_pair, make_point, put


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "TICK_SECONDS", 0.005)


@pytest.fixture
def clock() -> Callable[[], float]:
    """A minute passes from look to look."""
    minutes = count()
    return lambda: 60.0 * next(minutes)


def test_what_is_done_comes_back() -> None:
    assert watched(lambda: 7, "the check", 600, "here") == 7


def test_what_fails_fails_as_it_is() -> None:
    def fail() -> None:
        raise IntegrityError("damaged", where="there", fix="Do.")

    with pytest.raises(IntegrityError, match="damaged"):
        watched(fail, "the check", 600, "here")


def test_what_hangs_is_left_behind_and_ends_when_it_wakes_up(clock: Callable[[], float]) -> None:
    wakes, outcome = threading.Event(), threading.Event()

    def hang() -> None:
        wakes.wait()
        try:
            alive()
        except TransientError:
            outcome.set()

    with pytest.raises(StalledError, match=r"the listing: no sign of life for 6[06]0 s") as caught:
        watched(hang, "the listing", 600, "file:///mnt/berlin", clock)
    assert caught.value.where == "file:///mnt/berlin"
    wakes.set()
    assert outcome.wait(60)


def test_what_shows_signs_of_life_may_take_as_long_as_it_needs() -> None:
    stillness = Stillness(600, now=0.0)
    throttle = Throttle(Board(), None)
    for now in range(0, 6000, 500):
        throttle.alive()
        assert stillness.look(throttle.board.counts(), float(now)) is None
    assert stillness.look(throttle.board.counts(), 6100.0) == 600.0


def test_an_error_beside_it_ends_it_at_its_next_sign() -> None:
    ended = threading.Event()

    def work() -> None:
        try:
            while True:
                alive()
        finally:
            ended.set()

    clocks = iter([0.0])

    def clock() -> float:
        for now in clocks:
            return now
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watched(work, "the check", 600, "here", clock)
    assert ended.is_set()


def test_pieces_that_others_do_are_signs_too(tmp_path: Path) -> None:
    put(tmp_path, {"a": b"x"})
    board = Board()
    throttle = Throttle(board, None)
    with throttle.current():
        told = Telling[list[Entry], list[Reading]](Reader(bytes(tmp_path)))
    again = pickle.loads(pickle.dumps(told))
    (reading,) = again([file(b"a")])
    assert reading.size == 1
    assert board.counts().beats == 2  # a part of the file, and the batch


def test_threads_of_a_pool_show_signs_and_end_when_the_work_is_given_up() -> None:
    throttle, done = Throttle(Board(), None), []

    def work(number: int) -> None:
        if number == 2:
            throttle.give_up()
        done.append(number)

    def begin() -> None:
        throttle.mine()
        with ThreadPoolExecutor(1) as pool:
            list(pool.map(handed_on(work), range(9)))

    with ThreadPoolExecutor(1) as other, pytest.raises(TransientError, match="given up"):
        other.submit(begin).result()
    assert done[:3] == [0, 1, 2]
    assert throttle.board.counts().beats == 2


def test_who_reads_ahead_shows_signs_for_whom_it_reads() -> None:
    throttle = Throttle(Board(), None)

    def begin() -> list[int]:
        throttle.mine()
        return list(read_ahead(number for number in range(5)))

    with ThreadPoolExecutor(1) as other:
        assert other.submit(begin).result() == [0, 1, 2, 3, 4]
    assert throttle.board.counts().beats >= 5


# Where it is used


class Hanging(LocalTree):
    """A tree whose listing never comes back."""

    def list(self, begin: bytes = b"", end: bytes | None = None) -> Iterator[Entry]:
        threading.Event().wait()
        yield from ()

    runs = rows = list  # type: ignore[assignment]

    def pinned(self) -> Hanging:
        return self


def test_a_listing_that_hangs_ends_the_copy(tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    put(pair.source, {"a": b"1"})
    with pytest.raises(StalledError, match="the listing"):
        copy_delta(
            Hanging(pair.source),
            pair.target,
            None,
            pair.catalog.workspace("run"),
            final=True,
            controls=Controls(stall_seconds=1),
        )


def test_a_seal_that_hung_publishes_nothing_when_it_wakes_up(
    tmp_path: Path, clock: Callable[[], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = make_pair(tmp_path)
    put(pair.source, {"a": b"1"})
    workspace = pair.catalog.workspace("run")
    pair.copy(workspace, final=True)
    complete(workspace)
    point = make_point("A", workspace)
    sync, wakes, over = catalog.sync_filesystem, threading.Event(), threading.Event()
    monkeypatch.setattr(catalog, "sync_filesystem", lambda _: wakes.wait())

    def seal() -> None:
        try:
            pair.catalog.seal(workspace, point)
        finally:
            over.set()

    with pytest.raises(StalledError):
        watched(seal, "the seal", 600, "here", clock)
    wakes.set()
    assert over.wait(60)
    assert pair.catalog.points() == []
    monkeypatch.setattr(catalog, "sync_filesystem", sync)
    pair.catalog.seal(workspace, point)
    assert [path.path for path in read_manifest(pair.catalog.manifest_path("A"))] == [b"a"]
