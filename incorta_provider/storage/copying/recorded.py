"""Copy a batch and write the results down in the process that copies: the one that waits for it has enough to do.

The line of a copy is for the index of staged files; its entry, for the result of the pass, goes by columns, which to
pack and unpack takes a quarter of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from incorta_provider.dr.manifest import Entry, entry_of
from incorta_provider.storage.copying.proven import Outcome
from incorta_provider.storage.copying.staged_index import to_line
from incorta_provider.storage.copying.work_pool import Batch
from incorta_provider.storage.tree import Missed


@dataclass(frozen=True, slots=True)
class Record:
    """What came of one batch.

    :param lines: of the index, for the ``files`` that were copied, ``size`` bytes in all.
    :param columns: of the entries of these files; none when there is no such file.
    :param missed: paths of the others, with the reasons.
    """

    lines: bytes
    files: int
    size: int
    columns: tuple[tuple[object, ...], ...]
    missed: tuple[tuple[bytes, Missed], ...]

    def copied(self) -> list[Entry]:
        """Return the entries of the files that were copied, in their order."""
        return list(map(entry_of, zip(*self.columns, strict=True)))


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
        entries = [one if isinstance(one, Entry) else one.entry for one in copied]
        missed = [(asked.path, how) for asked, how in zip(batch, outcomes, strict=True) if isinstance(how, Missed)]
        columns = tuple(zip(*entries, strict=True))
        size = sum(entry.size for entry in entries)
        return Record(b"".join(map(to_line, copied)), len(copied), size, columns, tuple(missed))
