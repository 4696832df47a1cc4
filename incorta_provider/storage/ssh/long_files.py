"""Bring long files in pieces, over all lines at once; what has come stays when a line is cut, and is not sent again.

A piece is kept as long as the file at the source has the facts that it had when its first piece was asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from incorta_provider.storage.flow.crew import Crew
from incorta_provider.storage.flow.throttle import inherited, lent
from incorta_provider.storage.ssh.facts import Facts
from incorta_provider.storage.ssh.pieces import Piece, pieces_of
from incorta_provider.storage.ssh.rsync import PER_FILE, Ended

_AT_ONCE = 2
"""Long files that are brought at the same time: one whose last pieces travel leaves lines to another."""


class PieceCarrier(Protocol):
    """What brings pieces, and takes in what they make."""

    def new_folder(self) -> bytes:
        """Return a folder for pieces that nothing else uses."""

    def bring_piece(self, incoming: bytes, piece: Piece) -> Ended:
        """Bring one piece to its place in the folder."""

    def drop(self, incoming: bytes) -> None:
        """Remove the folder with what is in it."""


@dataclass(slots=True)
class _Partial:
    """What has come of a file.

    :ivar missing: what has not.
    """

    facts: Facts
    incoming: bytes
    missing: set[Piece]


class LongFiles:
    """Brings long files; for many threads, each with other files.

    :param lines: has a place for each line.
    :param streams: how many lines there are.
    """

    def __init__(self, carrier: PieceCarrier, lines: threading.Semaphore, streams: int) -> None:
        self._carrier = carrier
        self._lines = lines
        self._streams = streams
        self._few = threading.Semaphore(_AT_ONCE)
        self._partials: dict[bytes, _Partial] = {}

    def bring(self, path: bytes, facts: Facts) -> tuple[bytes, Ended]:
        """Bring what has not come of a file; return the folder that it is in, and how it ended.

        It is whole when the status is 0. After any other status the next call goes on.

        :param facts: of the file at the source, right before.
        """
        with self._few:
            partial = self._partial(path, facts)
            ended = self._bring(partial)
        if ended.status in PER_FILE:
            del self._partials[path]
        return partial.incoming, ended

    def _partial(self, path: bytes, facts: Facts) -> _Partial:
        """Return what has come of the file as it is now; what came of an older one is removed."""
        before = self._partials.get(path)
        if before is not None and before.facts.is_same_file(facts):
            return before
        if before is not None:
            self._carrier.drop(before.incoming)
        partial = _Partial(facts, self._carrier.new_folder(), set(pieces_of(path, facts.size)))
        self._partials[path] = partial
        return partial

    def _bring(self, partial: _Partial) -> Ended:
        """Bring the missing pieces; return the first end that is not that of a whole one."""
        pieces = sorted(partial.missing)
        with Crew[Piece, Ended](min(self._streams, len(pieces))) as crew:
            work = self._work_for(partial)
            for future in [crew.submit(work, piece) for piece in pieces]:
                if (ended := crew.result(future)).status:
                    return ended
        return Ended(0, "")

    def _work_for(self, partial: _Partial) -> Callable[[Piece], Ended]:
        inherit = inherited()

        def work(piece: Piece) -> Ended:
            with lent(inherit), self._lines:
                ended = self._carrier.bring_piece(partial.incoming, piece)
            if not ended.status:
                partial.missing.discard(piece)
            return ended

        return work
