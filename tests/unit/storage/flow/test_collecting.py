"""How often Python looks for garbage while many files are worked on."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from incorta_provider.storage.flow.collecting import OBJECTS, collecting_rarely


@pytest.fixture(autouse=True)
def _kept() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@collecting_rarely()
def first_threshold() -> int:
    return gc.get_threshold()[0]


@pytest.mark.parametrize(("before", "meanwhile"), [(700, OBJECTS), (OBJECTS * 2, OBJECTS * 2), (0, 0)])
def test_it_looks_less_often_meanwhile_never_more_often(before: int, meanwhile: int) -> None:
    gc.set_threshold(before, 10, 10)
    assert first_threshold() == meanwhile
    assert gc.get_threshold() == (before, 10, 10)


def test_an_error_sets_it_back() -> None:
    gc.set_threshold(700, 10, 10)
    with pytest.raises(ZeroDivisionError), collecting_rarely():
        raise ZeroDivisionError
    assert gc.get_threshold() == (700, 10, 10)


def test_the_last_one_sets_it_back_whichever_it_is() -> None:
    gc.set_threshold(700, 10, 10)
    first, second = collecting_rarely(), collecting_rarely()
    with first:
        second.__enter__()
    assert gc.get_threshold()[0] == OBJECTS
    second.__exit__(None, None, None)
    assert gc.get_threshold() == (700, 10, 10)
