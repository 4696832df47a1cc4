"""Bytes of objects that the threads of one process hold in memory together."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_NEGLIGIBLE_BYTES = 1024 * 1024
"""As many of such a size as there are threads do no harm, and need not be counted."""


class Memory:
    """What there is for all threads.

    :param size: bytes. The object that fills it is the last one that is let in, so one that is larger comes in too.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._held = 0
        self._changed = threading.Condition()

    @contextmanager
    def holding(self, size: int) -> Iterator[None]:
        """Hold so many bytes in the block; waits while others fill what there is."""
        if size <= _NEGLIGIBLE_BYTES:
            yield
            return
        with self._changed:
            self._changed.wait_for(lambda: self._held < self._size)
            self._held += size
        try:
            yield
        finally:
            with self._changed:
                self._held -= size
                self._changed.notify_all()
