"""Bring what was staged to disk while it is checked: a check takes one processor and no disk.

The flush that counts is that of the seal; behind this one it finds little left. Only much is worth it: each flush waits
for all that others have written to the file system too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from incorta_provider.storage.copying.workspace import Workspace
from incorta_provider.storage.flow.crew import Crew
from incorta_provider.storage.flow.throttle import handed_on
from incorta_provider.storage.target import Target

MUCH_BYTES = 64 * 1024 * 1024


@contextmanager
def flushing_beside(target: Target, workspace: Workspace) -> Iterator[Callable[[int], None]]:
    """Yield what is told of each staged part's bytes; when they are much, a flush begins, and the block's end waits.

    :raises LostWritesError: the disk refused a part; what runs under way staged is void.
    """
    begun: list[Future[None]] = []
    size = 0
    flush = handed_on(target.flush)
    with Crew[Workspace, None](1) as crew:

        def staged(more: int) -> None:
            nonlocal size
            size += more
            if size >= MUCH_BYTES and not begun:
                begun.append(crew.submit(flush, workspace))

        yield staged
        for future in begun:
            crew.result(future)
