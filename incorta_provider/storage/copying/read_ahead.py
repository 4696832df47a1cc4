"""Read the next while one is worked on: for what spends its time outside of Python's global lock."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from incorta_provider.storage.flow.throttle import handed_on

T = TypeVar("T")


def read_ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """Yield the same, with one item more in memory; close it when you stop early."""
    with ThreadPoolExecutor(1) as pool:
        some = handed_on(_some)
        coming = pool.submit(some, items)
        while found := coming.result():
            coming = pool.submit(some, items)
            yield found[0]


def _some(items: Iterator[T]) -> list[T]:
    """Return the next one; none at the end."""
    return list(islice(items, 1))
