"""Many files at once: their order, their errors, and helper processes that end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from incorta_provider.dr.manifest import Entry
from incorta_provider.exceptions import DrError, IntegrityError, TransientError
from incorta_provider.storage.helpers import Helpers
from incorta_provider.storage.work_pool import LIMITS, Limits, batches, in_order
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


def open_pipes() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("count", [0, 1, LIMITS.batch_files, 999, 1000, 2500])
def test_each_file_once_and_in_order(count: int) -> None:
    done = [
        (entry, size)
        for batch, sizes in in_order(Sizes(), entries(count))
        for entry, (size, _) in zip(batch, sizes, strict=True)
    ]
    assert done == [(entry, entry.size) for entry in entries(count)]


def test_few_files_stay_in_this_process_and_many_do_not() -> None:
    few = {pid for _, sizes in in_order(Sizes(), entries(999)) for _, pid in sizes}
    many = {pid for _, sizes in in_order(Sizes(), entries(4000)) for _, pid in sizes}
    assert few == {os.getpid()}
    assert len(many) > 1


def test_results_are_in_order_when_the_first_batch_is_the_slowest() -> None:
    second_is_done = threading.Event()

    def work(batch: list[Entry]) -> bytes:
        if batch[0].path == b"00000":
            assert second_is_done.wait(10)
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
        time.sleep(0.01)
        if len(begun) == 3:
            raise TransientError("third")

    with pytest.raises(TransientError, match="third"):
        list(in_order(work, entries(200), Limits(workers=1, batch_files=1)))
    assert len(begun) < 20


def test_a_batch_is_bounded_by_files_and_by_bytes() -> None:
    few = LIMITS.batch_files
    large = Entry(b"large", file(b"").kind, LIMITS.batch_bytes, 0, 0)
    assert [len(batch) for batch in batches([large, large, *entries(few + 1)], LIMITS)] == [1, 1, few, 1]


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
    before = open_pipes()
    with Helpers(Sizes(), 3) as work:
        pid = work([file(b"a")])[0][1]
    assert open_pipes() == before
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_helpers_die_with_the_process_that_started_them() -> None:
    """One that goes on writing behind a killed run would meet the next run in the same workspace."""
    program = (
        "import os, sys, time\n"
        "from incorta_provider.storage.helpers import Helpers\n"
        "from tests.unit.storage.test_work_pool import Sizes\n"
        "from tests.builders.storage import file\n"
        "helpers = Helpers(Sizes(), 1).__enter__()\n"
        "print(helpers([file(b'a')])[0][1], flush=True)\n"
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
    helper = Path("/proc") / ended.stdout.strip() / "stat"
    deadline = time.monotonic() + 10
    while helper.exists() and " Z " not in helper.read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not helper.exists() or " Z " in helper.read_text()
