from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incorta_provider.storage.flow.bucket import BURST_SECONDS, take

MB = 10**6


def test_the_first_chunk_passes_at_once_and_the_next_waits_until_it_is_worked_off() -> None:
    cells = [0.0, 0.0]
    assert take(cells, 2 * MB, rate=MB, now=100.0) == 0
    assert take(cells, 1, rate=MB, now=100.0) == pytest.approx(2 - BURST_SECONDS)
    assert take(cells, 1, rate=MB, now=101.0) == pytest.approx(1 - BURST_SECONDS)
    assert take(cells, 1, rate=MB, now=102.0) == 0


def test_a_limit_that_is_raised_works_the_debt_off_faster() -> None:
    cells = [0.0, 100.0]
    assert take(cells, 10 * MB, rate=1, now=100.0) == 0
    assert take(cells, 1, rate=1, now=100.0) == 10 * MB
    assert take(cells, 1, rate=10 * MB, now=100.5) == pytest.approx(0.5)
    assert take(cells, 1, rate=10 * MB, now=101.0) == 0


def test_a_pause_is_not_saved_up() -> None:
    cells = [0.0, 0.0]
    take(cells, 1, rate=MB, now=0.0)
    assert take(cells, MB, rate=MB, now=3600.0) == 0
    assert take(cells, 1, rate=MB, now=3600.0) == pytest.approx(1 - BURST_SECONDS)


@given(st.lists(st.integers(1, 4 * MB), min_size=1, max_size=50), st.integers(1, 50 * MB))
def test_what_passes_in_any_time_is_the_limit_times_that_time_and_one_chunk(chunks: list[int], rate: int) -> None:
    cells, now, passed = [0.0, 0.0], 0.0, 0
    for chunk in chunks:
        while wait := take(cells, chunk, rate=rate, now=now):
            now += wait
        passed += chunk
        assert passed <= rate * (now + BURST_SECONDS) + chunk + len(chunks)
    assert passed >= rate * now * 0.999 - max(chunks)
