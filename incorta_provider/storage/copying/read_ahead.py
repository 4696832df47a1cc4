"""Read the next while one is worked on: for what spends its time outside of Python's global lock."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import islice
from typing import TypeVar

from incorta_provider.storage.flow.crew import Crew
from incorta_provider.storage.flow.throttle import handed_on

T = TypeVar("T")


def read_ahead(items: Generator[T, None, None]) -> Generator[T, None, None]:
    """Yield the same, with one item more in memory; close it when you stop early.

    What the items come from is closed with it.
    """
    with closing(items), Crew[Iterator[T], list[T]](1) as reader:
        some = handed_on(_some)
        coming = reader.submit(some, items)
        while found := reader.result(coming):
            coming = reader.submit(some, items)
            yield found[0]


def _some(items: Iterator[T]) -> list[T]:
    """Return the next one; none at the end."""
    return list(islice(items, 1))
