"""What steps that are taken in a row keep open between them: a login at a node, a session at an ensemble.

Opening one costs processor time at both ends and several round trips, and a cutover needs about ten of either kind.
Who lends these knows nothing of what is lent; each heals itself: :class:`~incorta_provider.ssh.shell.NodeShell` logs in
anew where its login was dropped meanwhile, and kazoo finds another member.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Lock
from typing import Any, TypeVar

from incorta_provider.connection import ConnectionInfo

T = TypeVar("T")

Opener = Callable[[ConnectionInfo], AbstractContextManager[T]]


class Kept:
    """Lends connections: to one asker each, until somebody says that they are to be kept."""

    def __init__(self) -> None:
        self._places: dict[tuple[Opener[Any], str], _Place] = {}
        self._making = Lock()
        self._open: ExitStack | None = None

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Keep what is opened in this block, for whoever asks within it, in any thread; close it all at its end."""
        if self._open is not None:
            yield
            return
        with ExitStack() as opened:
            self._open = opened
            try:
                yield
            finally:
                self._open = None
                self._places.clear()

    @contextmanager
    def lend(self, info: ConnectionInfo, opener: Opener[T]) -> Iterator[T]:
        """Lend what ``opener`` opens: what is kept, if it was opened by the same facts.

        :param opener: takes the connection's facts; what it raises is raised here, and nothing is kept then.
        """
        if self._open is None:
            with opener(info) as opened:
                yield opened
            return
        with self._making:
            place = self._places.setdefault((opener, info.conn_id), _Place())
        yield place.opened(info, opener, self._open)


class _Place:
    """One connection: it is opened once, though several threads ask for it at the same time."""

    def __init__(self) -> None:
        self._opening = Lock()
        self._info: ConnectionInfo | None = None
        self._kept: Any = None

    def opened(self, info: ConnectionInfo, opener: Opener[T], closing: ExitStack) -> T:
        with self._opening:
            if self._info != info:
                context = opener(info)
                self._kept = context.__enter__()
                self._info = info
                closing.push(context)
            kept: T = self._kept
            return kept
