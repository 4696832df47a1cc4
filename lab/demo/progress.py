"""Shows what happens, each line with the seconds since the beginning."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from incorta_provider.exceptions import PreconditionError

T = TypeVar("T")


@dataclass
class Progress:
    """Prints lines.

    :param out: takes one line.
    """

    out: Callable[[str], None] = lambda line: print(line, flush=True)
    began: float = field(default_factory=time.monotonic)

    def __call__(self, text: str) -> None:
        """Print one line."""
        self.out(f"[{time.monotonic() - self.began:6.1f} s]   {text}")

    @contextmanager
    def chapter(self, title: str) -> Iterator[None]:
        """Print a heading, and how long the chapter took when it is over."""
        started = time.monotonic()
        self.out(f"[{started - self.began:6.1f} s] {title}")
        yield
        self(f"done in {time.monotonic() - started:.1f} s")


def wait_for(what: str, look: Callable[[], T | None], *, seconds: float, every: float = 0.5) -> T:
    """Return what ``look`` finds, as soon as it finds something.

    :param what: names what is waited for, for the error.
    :raises PreconditionError: nothing was found in time.
    """
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise PreconditionError(
                f"waited {seconds:.0f} s in vain for {what}", where="demo", fix="See the logs below the state folder."
            )
        time.sleep(every)
    return found


def wait_until_fine(what: str, problem: Callable[[], str | None], *, seconds: float) -> None:
    """Return as soon as ``problem`` finds none.

    :raises PreconditionError: there still was one in the end; names it.
    """
    deadline = time.monotonic() + seconds
    while (found := problem()) is not None:
        if time.monotonic() > deadline:
            raise PreconditionError(
                f"{what} is not ready after {seconds:.0f} s: {found}", where="demo", fix="See its log."
            )
        time.sleep(0.5)
