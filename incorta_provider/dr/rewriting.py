"""What a rewrite does to single values: each before and after, bound by one digest, and enough to take it back.

Pure: made and carried out by :mod:`incorta_provider.metadata.rewrite`.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator

from incorta_provider.dr.frozen import FrozenModel
from incorta_provider.dr.sql_names import quote

_SHOWN = 200


class CellChange(FrozenModel):
    """One value that is rewritten.

    :ivar key: what tells the row apart *after* the change: the columns of its key, or all others of a table that has
        none. Values as text; those of binary columns in hex.
    :ivar keyed: whether the table has a key.
    :ivar binary: whether ``before`` and ``after`` are hex.
    """

    table: str
    column: str
    key: dict[str, str | None]
    keyed: bool
    binary: bool
    before: str | None
    after: str | None

    @property
    def place(self) -> str:
        """The column's full name."""
        return f"{quote(self.table)}.{quote(self.column)}"

    @property
    def key_before(self) -> dict[str, str | None]:
        """What told the row apart before the change."""
        return {**self.key, self.column: self.before} if self.column in self.key else self.key

    def __str__(self) -> str:
        named = ", ".join(f"{quote(name)} = {_literal(value)}" for name, value in self.key_before.items())
        one, other = (self._readable(value) for value in (self.before, self.after))
        return f"{self.place} where {named}:\n  - {one}\n  + {other}"

    def _readable(self, value: str | None) -> str:
        if value is not None and self.binary:
            value = bytes.fromhex(value).decode(errors="backslashreplace")
        return _literal(value)


class Rewriting(FrozenModel):
    """All that one rewrite does, in its order."""

    format: int = 1
    changes: tuple[CellChange, ...]

    def summary(self) -> str:
        """Return how many values change in each column: for logs, which have more readers than the values should."""
        counts = Counter(change.place for change in self.changes)
        return ", ".join(f"{count} value(s) in {place}" for place, count in counts.items()) or "nothing"

    @property
    def sha256(self) -> str:
        """The digest of the diff, in hex, whatever order the server gives rows in."""
        lines = sorted(map(_line, self.changes))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def folded(changes: Iterable[CellChange]) -> Iterator[CellChange]:
    """Merge changes that follow each other in one cell into one; a value that ends as it began did not change.

    :param changes: those of one column stand together.
    """
    made: list[CellChange | None] = []
    standing: dict[str, list[int]] = {}
    for change in changes:
        joined = change
        begun = standing.get(_cell(change, change.key_before, change.before))
        if begun and (earlier := made[at := begun.pop()]):
            made[at] = None
            joined = change.model_copy(update={"before": earlier.before})
        standing.setdefault(_cell(joined, joined.key, joined.after), []).append(len(made))
        made.append(joined)
    return (change for change in made if change is not None and change.before != change.after)


def _cell(change: CellChange, key: dict[str, str | None], value: str | None) -> str:
    return json.dumps([change.table, change.column, key, value], sort_keys=True)


def _line(change: CellChange) -> str:
    place = [change.table, change.column, sorted(change.key.items()), change.keyed, change.binary]
    return json.dumps([*place, change.before, change.after])


def _literal(value: str | None) -> str:
    if value is None:
        return "NULL"
    return f"'{value[:_SHOWN]}{'…' if len(value) > _SHOWN else ''}'"
