"""What steps that are taken in a row keep open between them: a login at a node, a session at an ensemble.

Opening one costs processor time at both ends and several round trips, and a cutover needs about ten of either kind.
Who lends these knows nothing of what is lent: :class:`~incorta_provider.ssh.shell.NodeShell` logs in anew where its
login was dropped meanwhile; of what does not heal that soon, the borrower says whether it is still usable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Lock
from typing import Any, TypeVar

from incorta_provider.connection import ConnectionInfo

T = TypeVar("T")

Opener = Callable[[ConnectionInfo], AbstractContextManager[T]]
Judge = Callable[[T], bool]


class Kept:
    """Lends connections: to one asker each, until somebody says that they are to be kept.

    :ivar is_keeping: whether they are kept now.
    """

    def __init__(self) -> None:
        self.is_keeping = False
        self._places: dict[tuple[Opener[Any], str], _Place] = {}
        self._making = Lock()

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Keep what is opened in this block, for whoever asks within it, in any thread; close it all at its end."""
        if self.is_keeping:
            yield
            return
        self.is_keeping = True
        try:
            yield
        finally:
            self.is_keeping = False
            self.give_back()

    def give_back(self, opener: Opener[Any] | None = None) -> None:
        """Close what is kept and nobody uses any more; who asks for it later opens another.

        :param opener: only what this one opened.
        """
        with self._making:
            places = [self._places.pop(key) for key in list(self._places) if opener in (None, key[0])]
        with ExitStack() as closing:
            for place in places:
                closing.callback(place.close)

    @contextmanager
    def lend(self, info: ConnectionInfo, opener: Opener[T], usable: Judge[T] = lambda _: True) -> Iterator[T]:
        """Lend what ``opener`` opens: what is kept, if it was opened by the same facts.

        :param opener: takes the connection's facts; what it raises is raised here, and nothing is kept then.
        :param usable: tells whether what is kept will do; another is opened in its place if not.
        """
        if not self.is_keeping:
            with opener(info) as opened:
                yield opened
            return
        with self._making:
            place = self._places.setdefault((opener, info.conn_id), _Place())
        yield place.opened(info, opener, usable)


class _Place:
    """One connection: it is opened once, though several threads ask for it at the same time."""

    def __init__(self) -> None:
        self._opening = Lock()
        self._info: ConnectionInfo | None = None
        self._kept: Any = None
        self._closing = ExitStack()

    def opened(self, info: ConnectionInfo, opener: Opener[T], usable: Judge[T]) -> T:
        """Return what is open; what another takes the place of is closed with it, for somebody may be using it."""
        with self._opening:
            if self._info != info or not usable(self._kept):
                self._kept = self._closing.enter_context(opener(info))
                self._info = info
            kept: T = self._kept
            return kept

    def close(self) -> None:
        self._closing.close()
