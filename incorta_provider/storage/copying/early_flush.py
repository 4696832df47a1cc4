"""Bring what was staged to disk while the rest is copied, and while it is checked, which leaves the disk idle.

The flush that counts is that of the seal; behind these it finds little left. Only much is worth it: each flush waits
for all that others have written to the file system too.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial

from incorta_provider.exceptions import TransientError
from incorta_provider.storage.copying.workspace import Workspace, voiding
from incorta_provider.storage.flow.crew import Crew, Tick, no_tick
from incorta_provider.storage.flow.throttle import handed_on
from incorta_provider.storage.flow.watchdog import StalledError
from incorta_provider.storage.target import Target

log = logging.getLogger(__name__)

MUCH_BYTES = 64 * 1024 * 1024

FLUSH_SECONDS = 600.0
"""How long whoever brings to disk what came may be still at least: the call that does it is silent."""


@contextmanager
def flushing_beside(
    target: Target, workspace: Workspace, patience: float | None = None
) -> Iterator[Callable[[int], None]]:
    """Yield what is told of each staged part's bytes; when they are much, a flush begins, one at a time.

    The block's end waits for it: what the disk refused is told to one flush only.

    :param patience: how many seconds the block's end waits; None where somebody else watches.
    :raises LostWritesError: the disk refused a part; what runs under way staged is void.
    :raises StalledError: a flush took longer than that; it is not waited for.
    """
    begun: list[Future[None]] = []
    size = 0
    flush = handed_on(partial(_flush, target))
    with voiding(lambda: [workspace]), _told(begun), Crew[Workspace, None](1, _tick(target, patience)) as crew:

        def staged(more: int) -> None:
            nonlocal size
            size += more
            if begun and begun[0].done():
                begun.pop().result()
            if size >= MUCH_BYTES and not begun:
                size = 0
                begun.append(crew.submit(flush, workspace))

        yield staged
        for future in begun:
            crew.result(future)


def _flush(target: Target, workspace: Workspace) -> None:
    try:
        target.flush(workspace)
    except TransientError as error:
        log.warning("what was staged is flushed again at the seal: %s", error)


@contextmanager
def _told(begun: list[Future[None]]) -> Iterator[None]:
    """Tell what the disk refused also where the block failed: perhaps because all that it made was void by then."""
    try:
        yield
    finally:
        for future in begun:
            if future.done() and not future.cancelled():
                future.result()


def _tick(target: Target, patience: float | None) -> Tick[Workspace]:
    """Return what is asked again and again from when a flush is waited for."""
    if patience is None:
        return no_tick
    until: float | None = None

    def tick(_: list[Workspace]) -> None:
        nonlocal until
        now = time.monotonic()
        until = now + patience if until is None else until
        if now >= until:
            raise StalledError(
                f"what was copied is not on disk after {patience:.0f} s",
                where=target.label,
                fix="Check the disk and the mount there; the task is tried again and keeps what it copied.",
            )

    return tick
