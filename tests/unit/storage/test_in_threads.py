"""Looks at many files, some of them at once: as many as are asked for, their results in order, their first error."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from incorta_provider.exceptions import TransientError
from incorta_provider.storage.copying.work_pool import in_threads


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("items", [0, 1, 2, 20])
def test_each_item_once_and_in_order(count: int, items: int) -> None:
    assert list(in_threads(str, range(items), count)) == [(item, str(item)) for item in range(items)]


def test_so_many_are_worked_on_at_once() -> None:
    meeting = threading.Barrier(4)

    def meet(_: int) -> int:
        meeting.wait(60)
        return threading.get_ident()

    threads = [thread for _, thread in in_threads(meet, range(8), 4)]
    assert len(set(threads)) == 4
    assert threading.get_ident() not in threads


def test_one_at_a_time_takes_no_thread() -> None:
    here = threading.get_ident()
    assert [thread for _, thread in in_threads(lambda _: threading.get_ident(), range(3), 1)] == [here] * 3


@pytest.mark.parametrize("count", [1, 3])
def test_the_first_error_ends_it_and_little_is_taken_ahead(count: int) -> None:
    taken: list[int] = []
    results: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    def work(number: int) -> int:
        if number == 5:
            raise TransientError("no answer", where="there", fix="Retry.")
        return number

    with pytest.raises(TransientError, match="no answer"):
        results.extend(number for number, _ in in_threads(work, items(), count))
    assert results == [0, 1, 2, 3, 4]
    assert len(taken) <= 6 + 2 * count
