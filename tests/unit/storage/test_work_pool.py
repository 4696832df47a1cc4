"""Many files at once: their order, their errors, and helper processes that end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from incorta_provider.dr.manifest import Entry
from incorta_provider.exceptions import DrError, IntegrityError, TransientError
from incorta_provider.storage.copying import work_pool
from incorta_provider.storage.copying.helpers import Helpers
from incorta_provider.storage.copying.work_pool import LIMITS, SHARES, Limits, batches, in_order
from tests.builders.handles import open_handles
from tests.builders.storage import file


class Sizes:
    """Work for helper processes: must be picklable, and known by name there."""

    def __call__(self, batch: list[Entry]) -> list[tuple[int, int]]:
        return [(entry.size, os.getpid()) for entry in batch]


class Trouble:
    """Work that goes wrong in a way that the batch names."""

    def __call__(self, batch: list[Entry]) -> None:
        if batch[0].path == b"refused":
            raise IntegrityError("no", where="here", fix="look")
        if batch[0].path == b"bug":
            raise ZeroDivisionError
        if batch[0].path == b"killed":
            os.kill(os.getpid(), signal.SIGKILL)


def entries(count: int) -> list[Entry]:
    return [file(b"%05d" % number, b"x" * (number % 5)) for number in range(count)]


@pytest.mark.parametrize("count", [0, 1, LIMITS.batch_files, 999, 1000, 2500])
def test_each_file_once_and_in_order(count: int) -> None:
    done = [
        (entry, size)
        for batch, sizes in in_order(Sizes(), entries(count))
        for entry, (size, _) in zip(batch, sizes, strict=True)
    ]
    assert done == [(entry, entry.size) for entry in entries(count)]


def test_who_is_slow_with_the_results_does_not_let_the_work_run_out() -> None:
    enough = threading.Event()
    taken = 0

    def many() -> Iterator[Entry]:
        nonlocal taken
        for entry in entries(100):
            taken += 1
            if taken == 20:
                enough.set()
            yield entry

    def wait_once(_: list[Entry]) -> bool:
        return enough.wait(30)

    limits = Limits(workers=3, batch_files=1, helpers_from=None)
    ahead = [taken - number for number, _ in enumerate(in_order(wait_once, many(), limits), start=1)]
    assert min(ahead[:80]) >= 3 * SHARES
    assert len(ahead) == 100


def test_only_so_many_files_wait_behind_a_slow_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_pool, "_AHEAD_FILES", 70)
    waits_for_the_first = threading.Event()
    taken, before = 0, -1

    def many() -> Iterator[Entry]:
        nonlocal taken
        for entry in entries(200):
            taken += 1
            yield entry

    def look(_: list[list[Entry]]) -> None:
        nonlocal before
        if taken == before and not waits_for_the_first.is_set():
            waits_for_the_first.set()
            assert taken == 80
        before = taken

    def wait_first(batch: list[Entry]) -> bool:
        return batch[0].path != b"00000" or waits_for_the_first.wait(30)

    limits = Limits(workers=2, batch_files=10, helpers_from=None)
    assert all(done for _, done in in_order(wait_first, many(), limits, look))
    assert waits_for_the_first.is_set()


def test_few_files_stay_in_this_process_and_many_do_not() -> None:
    few = {pid for _, sizes in in_order(Sizes(), entries(999)) for _, pid in sizes}
    many = {pid for _, sizes in in_order(Sizes(), entries(4000)) for _, pid in sizes}
    assert few == {os.getpid()}
    assert len(many) > 1


def test_results_are_in_order_when_the_first_batch_is_the_slowest() -> None:
    second_is_done = threading.Event()

    def work(batch: list[Entry]) -> bytes:
        if batch[0].path == b"00000":
            assert second_is_done.wait(60)
        elif batch[0].path == b"00001":
            second_is_done.set()
        return batch[0].path

    assert [path for _, path in in_order(work, entries(5), Limits(batch_files=1))] == [
        b"%05d" % number for number in range(5)
    ]


def test_the_first_error_ends_it_and_what_has_not_begun_is_dropped() -> None:
    begun = []

    def work(batch: list[Entry]) -> None:
        begun.append(batch)
        time.sleep(0.01 if len(begun) <= 3 else 0.2)
        if len(begun) == 3:
            raise TransientError("third")

    with pytest.raises(TransientError, match="third"):
        list(in_order(work, entries(200), Limits(workers=1, batch_files=1)))
    assert len(begun) < 100, "a fifth of a second each, so this thread has 19 of them to hear of the third"


def test_a_batch_is_bounded_by_files_and_by_bytes() -> None:
    few = LIMITS.batch_files
    large = Entry(b"large", file(b"").kind, LIMITS.batch_bytes, 0, 0)
    assert [len(batch) for batch in batches([large, large, *entries(few + 1)], LIMITS)] == [1, 1, few, 1]


@pytest.mark.parametrize(
    ("files", "size", "batch_files", "batch_bytes"),
    [
        (1_000_000, 1 << 40, 200, 1 << 20),
        (800, 1 << 20, 100, 1 << 17),
        (801, 0, 101, 1 << 10),
        (2_000, 9 << 20, 167, -(-(9 << 20) // 12)),
        (7, 1 << 22, 10, 1 << 19),
        (0, 0, 10, 1 << 10),
    ],
    ids=[
        "much",
        "as many shares as twice the workers",
        "rounded up",
        "as many for each worker",
        "few large ones",
        "nothing",
    ],
)
def test_batches_are_so_small_that_every_worker_gets_some(
    files: int, size: int, batch_files: int, batch_bytes: int
) -> None:
    limits = Limits(workers=4, batch_files=200, batch_bytes=1 << 20, least_files=10, least_bytes=1 << 10)
    fitted = limits.for_total(files, size)
    assert (fitted.batch_files, fitted.batch_bytes) == (batch_files, batch_bytes)


def test_errors_of_a_helper_arrive_whole() -> None:
    with Helpers(Trouble(), 1) as work:
        with pytest.raises(IntegrityError) as caught:
            work([file(b"refused")])
        assert (caught.value.what, caught.value.where, caught.value.fix) == ("no", "here", "look")
        with pytest.raises(DrError, match="ZeroDivisionError") as bug:
            work([file(b"bug")])
        assert bug.value.fix == "Report this as a bug."
        assert work([file(b"fine")]) is None


def test_a_helper_that_is_killed_is_an_error_and_not_a_hang() -> None:
    with Helpers(Trouble(), 1) as work, pytest.raises(TransientError, match="ended in the middle of its work"):
        work([file(b"killed")])


def test_helpers_and_their_pipes_are_gone_in_the_end() -> None:
    before = open_handles()
    with Helpers(Sizes(), 3) as work:
        pids = [work([file(b"a")])[0][1] for _ in range(3)]
    assert len(set(pids)) == 3
    assert open_handles() - before == set()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_helper_that_is_killed_does_not_hang_the_others() -> None:
    """Were one of its pipe's ends open in another helper, the call would wait for ever."""
    with Helpers(Trouble(), 3) as work:
        for _ in range(3):
            with pytest.raises(TransientError, match="ended in the middle of its work"):
                work([file(b"killed")])


def test_helpers_die_with_the_process_that_started_them() -> None:
    """One that goes on writing behind a killed run would meet the next run in the same workspace."""
    program = (
        "import os, sys, time\n"
        "from incorta_provider.storage.copying.helpers import Helpers\n"
        "from tests.unit.storage.test_work_pool import Sizes\n"
        "from tests.builders.storage import file\n"
        "helpers = Helpers(Sizes(), 3).__enter__()\n"
        "print(*[helpers([file(b'a')])[0][1] for _ in range(3)], flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    running = [Path("/proc") / pid / "stat" for pid in ended.stdout.split()]
    assert len(running) == 3
    deadline = time.monotonic() + 60
    while any(map(is_running, running)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(is_running, running))


def is_running(stat: Path) -> bool:
    """Tell whether a process is more than its entry in the table."""
    try:
        return " Z " not in stat.read_text()
    except OSError:
        return False
