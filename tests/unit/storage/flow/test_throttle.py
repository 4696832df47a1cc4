from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from incorta_provider.exceptions import TransientError
from incorta_provider.storage.copying.helpers import Helpers
from incorta_provider.storage.flow import throttle as module
from incorta_provider.storage.flow.board import Board, Counts
from incorta_provider.storage.flow.limit import Limit
from incorta_provider.storage.flow.override import Override, set_override
from incorta_provider.storage.flow.throttle import Throttle, alive, lent, moved, share
from tests.builders.waiting import WaitingClock

MB = 10**6


@pytest.fixture(autouse=True)
def _no_copy_of_another_test() -> None:
    module._thread.throttle = None


def limited(folder: Path, rate: int | None, clock: WaitingClock) -> Throttle:
    (folder / "run").mkdir(exist_ok=True)
    return Throttle(Board(), Limit(folder, rate, folder / "run", clock), clock, clock.sleep)


def test_the_bytes_over_time_are_the_limit(tmp_path: Path) -> None:
    clock = WaitingClock()
    throttle = limited(tmp_path, 20 * MB, clock)
    for _ in range(100):
        throttle.moved(MB)
    assert throttle.board.counts().size == 100 * MB
    assert clock.now - 1000 == pytest.approx(5, abs=0.2)


def test_without_a_limit_nothing_waits(tmp_path: Path) -> None:
    clock = WaitingClock()
    throttle = limited(tmp_path, None, clock)
    throttle.moved(10**15)
    assert clock.now == 1000
    assert throttle.share(4) is None


def test_a_limit_that_is_raised_or_lifted_is_obeyed_by_one_who_waits_already(tmp_path: Path) -> None:
    clock = WaitingClock()
    throttle = limited(tmp_path, 10, clock)
    throttle.moved(MB)  # more than a day at 10 bytes a second
    set_override(tmp_path, Override(bytes_per_second=MB, by="ann", at=datetime.now(UTC)))
    throttle.moved(1)
    assert clock.now - 1000 < 3
    throttle.moved(1000 * MB)
    set_override(tmp_path, Override(bytes_per_second=None, by="ann", at=datetime.now(UTC)))
    throttle.moved(1000 * MB)
    assert clock.now - 1000 < 6


def test_a_wait_for_the_limit_is_a_sign_of_life(tmp_path: Path) -> None:
    clock = WaitingClock()
    throttle = limited(tmp_path, 1, clock)
    throttle.moved(10)
    before = throttle.board.counts()
    throttle.moved(1)
    after = throttle.board.counts()
    assert (after.size, before.size) == (11, 10)
    assert after.beats - before.beats >= 36, "nine seconds and more, a quarter of one each"


def test_what_counts_itself_does_not_wait_and_asks_for_its_share(tmp_path: Path) -> None:
    clock = WaitingClock()
    throttle = limited(tmp_path, 20 * MB, clock)
    throttle.moved(500 * MB, wait=False)
    assert clock.now == 1000
    assert throttle.share(8) == 2_500_000
    assert throttle.share(10**9) == 1


def test_outside_of_a_copy_nothing_is_counted_and_nothing_limited() -> None:
    moved(5)
    alive()
    assert share(1) is None


def test_within_a_copy_every_thread_of_the_process_means_it(tmp_path: Path) -> None:
    throttle = limited(tmp_path, 8000, WaitingClock())
    with throttle.current():
        thread = threading.Thread(target=lambda: moved(7))
        thread.start()
        thread.join()
        alive()
        assert share(2) == 4000
    moved(100)
    assert throttle.board.counts() == Counts(size=7, beats=1)


def test_a_thread_of_a_copy_that_was_given_up_does_not_write_on(tmp_path: Path) -> None:
    throttle = limited(tmp_path, None, WaitingClock())
    with lent(throttle.mine):
        moved(1)
        throttle.give_up()
        with pytest.raises(TransientError, match="the copy was given up"):
            moved(1)
    moved(1)  # no longer this one's
    assert throttle.board.counts().size == 1


class Moves:
    """Moves chunks in a helper process, and tells when it began and when each was through."""

    def __init__(self, throttle: Throttle) -> None:
        self.throttle = throttle

    def __call__(self, chunk: int) -> list[float]:
        self.throttle.mine()
        times = [time.monotonic()]
        for _ in range(10):
            moved(chunk)
            times.append(time.monotonic())
        return times


def test_helper_processes_share_one_limit(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    throttle = Throttle(Board(), Limit(tmp_path, 200_000, tmp_path / "run"))
    found: list[list[float]] = []
    with Helpers(Moves(throttle), 2) as helpers:
        threads = [threading.Thread(target=lambda: found.append(helpers(10_000))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert throttle.board.counts().size == 200_000
    times = sorted(time for times in found for time in times)
    assert len(times) == 22
    # 19 chunks of 10 kB behind the first, less the tenth of a second that may be caught up with
    assert times[-1] - times[0] >= (190_000 - 20_000 - 10_000) / 200_000 * 0.95
