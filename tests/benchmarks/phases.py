"""Tells where the time goes, without a word in the product: a few of its functions are timed from outside.

A phase's seconds are its own: those of a phase inside it are not counted twice. Each thread has its own stack of
phases, so what runs beside the main thread overlaps with it, and is named so.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

Split = tuple[object, str, str]
"""Owner and name of a function, and the phase that its calls are."""


class Phases:
    """A stopwatch.

    :ivar seconds: by phase.
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._stacks = threading.local()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a block."""
        stack = self._stack()
        stack.append(0.0)
        started = time.monotonic()
        try:
            yield
        finally:
            took = time.monotonic() - started
            self.seconds[name] += took - stack.pop()
            if stack:
                stack[-1] += took

    @contextmanager
    def splitting(self, splits: Sequence[Split]) -> Iterator[None]:
        """Time every call of the given functions while the block lasts."""
        with ExitStack() as patches:
            for owner, name, phase in splits:
                original = getattr(owner, name)
                patches.enter_context(mock.patch.object(owner, name, self._timed(original, phase)))
            yield

    def _timed(self, original: Callable[..., Any], name: str) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            with self.phase(name):
                return original(*arguments, **named)

        return timed

    def _stack(self) -> list[float]:
        if not hasattr(self._stacks, "open"):
            self._stacks.open = []
        return self._stacks.open
