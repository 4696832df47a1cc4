"""Copy a batch and write the results down in the process that copies: the one that waits for it has enough to do.

What it writes to the index of staged files and counts is all that the rest of a pass wants to know of a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from incorta_provider.dr.manifest import Entry
from incorta_provider.storage.copying.proven import Outcome
from incorta_provider.storage.copying.staged_index import to_line
from incorta_provider.storage.copying.work_pool import Batch
from incorta_provider.storage.tree import Missed


@dataclass(frozen=True, slots=True)
class Record:
    """What came of one batch.

    :param lines: of the index, for the ``files`` that were copied, ``size`` bytes in all.
    :param missed: paths of the others, with the reasons.
    """

    lines: bytes
    files: int
    size: int
    missed: tuple[tuple[bytes, Missed], ...]


class Recorded:
    """A copier whose outcomes are records; pickled with it for helper processes."""

    def __init__(self, copy: Callable[[Batch], Sequence[Outcome]]) -> None:
        self._copy = copy

    def __call__(self, batch: Batch) -> Record:
        """Copy a batch.

        :raises DrError: what the copier raises.
        """
        outcomes = self._copy(batch)
        copied = [outcome for outcome in outcomes if not isinstance(outcome, Missed)]
        size = sum(one.size if isinstance(one, Entry) else one.entry.size for one in copied)
        missed = [(asked.path, how) for asked, how in zip(batch, outcomes, strict=True) if isinstance(how, Missed)]
        return Record(b"".join(map(to_line, copied)), len(copied), size, tuple(missed))
