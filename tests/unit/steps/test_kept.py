"""Connections are lent to one asker each, or kept for all who ask while a block lasts."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from threading import Barrier

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.exceptions import TransientError
from incorta_provider.steps.kept import Kept

NODE = ConnectionInfo("node1", host="10.0.0.1")


class Door:
    """Counts what is opened and closed."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.broken = False

    @contextmanager
    def open(self, info: ConnectionInfo) -> Iterator[str]:
        if self.broken:
            raise TransientError("the node cannot be reached")
        name = f"{info.host}-{len(self.log)}"
        self.log.append(f"open {name}")
        try:
            yield name
        finally:
            self.log.append(f"close {name}")


@pytest.fixture
def door() -> Door:
    return Door()


def test_each_asker_gets_its_own_unless_they_are_kept(door: Door) -> None:
    kept = Kept()
    opener = door.open
    for _ in range(2):
        with kept.lend(NODE, opener):
            pass
    assert door.log == ["open 10.0.0.1-0", "close 10.0.0.1-0", "open 10.0.0.1-2", "close 10.0.0.1-2"]


def test_what_is_kept_is_opened_once_and_closed_at_the_end(door: Door) -> None:
    kept, opener = Kept(), door.open
    with kept.keeping():
        for _ in range(3):
            with kept.lend(NODE, opener) as name:
                assert name == "10.0.0.1-0"
        assert door.log == ["open 10.0.0.1-0"]
    assert door.log == ["open 10.0.0.1-0", "close 10.0.0.1-0"]
    with kept.lend(NODE, opener) as name:
        assert name == "10.0.0.1-2"


def test_threads_that_ask_at_the_same_time_share_one(door: Door) -> None:
    kept, opener, barrier = Kept(), door.open, Barrier(8)

    def ask(_: int) -> str:
        barrier.wait()
        with kept.lend(NODE, opener) as name:
            return name

    with kept.keeping(), ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {"10.0.0.1-0"}


def test_facts_that_were_corrected_meanwhile_open_another(door: Door) -> None:
    kept, opener = Kept(), door.open
    with kept.keeping():
        with kept.lend(NODE, opener):
            pass
        with kept.lend(replace(NODE, host="10.0.0.2"), opener) as name:
            assert name == "10.0.0.2-1"
    assert door.log[2:] == ["close 10.0.0.2-1", "close 10.0.0.1-0"]


def test_what_could_not_be_opened_is_tried_again(door: Door) -> None:
    kept, opener = Kept(), door.open
    with kept.keeping():
        door.broken = True
        with pytest.raises(TransientError), kept.lend(NODE, opener):
            pass
        door.broken = False
        with kept.lend(NODE, opener) as name:
            assert name == "10.0.0.1-0"


def test_everything_is_closed_after_an_error_too(door: Door) -> None:
    kept, opener = Kept(), door.open
    with pytest.raises(ValueError, match="in the block"), kept.keeping(), kept.lend(NODE, opener):
        raise ValueError("in the block")
    assert door.log == ["open 10.0.0.1-0", "close 10.0.0.1-0"]


def test_a_block_within_a_block_closes_nothing(door: Door) -> None:
    kept, opener = Kept(), door.open
    with kept.keeping():
        with kept.keeping(), kept.lend(NODE, opener):
            pass
        assert door.log == ["open 10.0.0.1-0"]
    assert door.log[-1] == "close 10.0.0.1-0"


def test_what_is_not_usable_any_more_gives_place_to_another_and_is_closed_with_it(door: Door) -> None:
    kept, opener = Kept(), door.open
    with kept.keeping():
        with kept.lend(NODE, opener, usable=lambda _: False) as name:
            assert name == "10.0.0.1-0"
        with kept.lend(NODE, opener, usable=lambda name: name != "10.0.0.1-0") as name:
            assert name == "10.0.0.1-1"
        with kept.lend(NODE, opener, usable=lambda name: name != "10.0.0.1-0") as name:
            assert name == "10.0.0.1-1"
        assert door.log == ["open 10.0.0.1-0", "open 10.0.0.1-1"]
    assert door.log[2:] == ["close 10.0.0.1-1", "close 10.0.0.1-0"]


def test_where_no_other_can_be_opened_the_one_that_heals_is_used_again(door: Door) -> None:
    kept, opener = Kept(), door.open
    with kept.keeping():
        with kept.lend(NODE, opener):
            pass
        door.broken = True
        with pytest.raises(TransientError), kept.lend(NODE, opener, usable=lambda _: False):
            pass
        with kept.lend(NODE, opener, usable=lambda _: True) as name:
            assert name == "10.0.0.1-0"


def test_what_is_given_back_is_closed_at_once_and_opened_anew_for_the_next(door: Door) -> None:
    kept, opener, other = Kept(), door.open, Door()
    with kept.keeping():
        with kept.lend(NODE, opener), kept.lend(NODE, other.open):
            pass
        kept.give_back(opener)
        assert door.log == ["open 10.0.0.1-0", "close 10.0.0.1-0"]
        assert other.log == ["open 10.0.0.1-0"]
        with kept.lend(NODE, opener) as name:
            assert name == "10.0.0.1-2"
    assert door.log[2:] == ["open 10.0.0.1-2", "close 10.0.0.1-2"]
