from __future__ import annotations

import pytest

from incorta_provider.exceptions import TransientError
from incorta_provider.storage.flow.board import Counts
from incorta_provider.storage.flow.watchdog import StalledError, Watchdog
from tests.builders.storage import file

BATCH = [file(b"sales/a"), file(b"sales/b"), file(b"sales/c")]


def test_it_waits_for_the_stated_time_and_then_names_what_is_in_flight() -> None:
    watchdog = Watchdog(600, "file:///mnt/berlin", now=0.0)
    watchdog.look(Counts(size=1), [BATCH], now=100.0)
    watchdog.look(Counts(size=1), [BATCH], now=699.9)
    with pytest.raises(StalledError) as caught:
        watchdog.look(Counts(size=1), [BATCH, [file(b"big\n")]], now=700.0)
    assert isinstance(caught.value, TransientError), "the task is tried again"
    assert caught.value.what == (r"no byte moved for 600 s; in flight: sales/a and 2 more up to sales/c, big\n")
    assert caught.value.where == "file:///mnt/berlin"


@pytest.mark.parametrize("sign", [Counts(size=2), Counts(size=1, files=1), Counts(size=1, beats=1), Counts(1, 0, 0, 1)])
def test_a_byte_a_file_a_try_or_a_wait_that_is_meant_is_a_sign_of_life(sign: Counts) -> None:
    watchdog = Watchdog(600, "", now=0.0)
    watchdog.look(Counts(size=1), [BATCH], now=1.0)
    watchdog.look(sign, [BATCH], now=600.9)
    watchdog.look(sign, [BATCH], now=1200.0)


def test_nothing_in_flight_is_no_stall() -> None:
    watchdog = Watchdog(600, "", now=0.0)
    watchdog.look(Counts(), [], now=10_000.0)
    watchdog.look(Counts(), [BATCH], now=10_599.0)


def test_many_batches_are_not_all_named() -> None:
    watchdog = Watchdog(1, "", now=0.0)
    batches = [[file(b"%02d" % number)] for number in range(12)]
    with pytest.raises(StalledError, match="09, 2 more batches"):
        watchdog.look(Counts(), batches, now=1.0)
