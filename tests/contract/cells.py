"""The table of backend by behaviour.

A cell is what the suite itself found: ``equal``, ``kept as …``, ``refused: …`` or ``not applicable: …``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "storage-backends.md"
FAILED = "FAILED"

_HEAD = """# What each kind of storage keeps

Written by `python -m tests.contract.table`, which runs `tests/contract` against every pair of source and target: real
folders, real sshd and rsync, a real S3 server. A test fails when this page is not what the suite found.

- **equal**: what stands at the target is what stood at the source, in every fact that both can hold.
- **kept as**: the fact is kept in another form, which is named.
- **refused**: the run stops before anything is published, and says why.
- **not applicable**: this kind of storage has no such thing.

Owner and group of files are not replicated: what the worker's or the node's account writes is theirs, so let that be
the account that Incorta runs under. Nor are ACLs, extended attributes, and set-uid, set-gid and sticky bits, which mean
something else without their owner. An apply leaves such bits of the replica's folders as they are. Files are written
in the catalog or vault first and keep the group that they get there: where it must be another one, set set-gid or a
default ACL there too.
"""


TABLE = pytest.StashKey["Table"]()
"""Where a test run keeps what it found."""


@dataclass
class Table:
    """What the suite found.

    :ivar cells: behaviour, then pair, then outcome.
    :ivar right: behaviour, then what is right.
    """

    cells: dict[str, dict[str, str]] = field(default_factory=dict)
    right: dict[str, str] = field(default_factory=dict)

    def add(self, behaviour: str, right: str, pair: str, outcome: str) -> None:
        """Add one cell; of several tries of one behaviour a failed one is what counts."""
        self.right[behaviour] = right
        outcomes = self.cells.setdefault(behaviour, {})
        if outcomes.get(pair) != FAILED:
            outcomes[pair] = outcome

    def complete(self, text: str) -> None:
        """Take from a page what was found earlier of pairs that are not in this table."""
        ran = {pair for outcomes in self.cells.values() for pair in outcomes}
        for (pair, behaviour), outcome in read_document(text).items():
            if pair not in ran and behaviour in self.cells:
                self.cells[behaviour][pair] = outcome

    def document(self) -> str:
        """Return the page: a row for each behaviour, a column for each pair of kinds."""
        pairs = sorted({pair for outcomes in self.cells.values() for pair in outcomes}, key=_by_kinds)
        rows = [["behaviour", "right", *pairs], ["---"] * (len(pairs) + 2)]
        rows += [
            [name, self.right[name], *(found.get(pair, "") for pair in pairs)] for name, found in self.cells.items()
        ]
        return _HEAD + "\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _by_kinds(pair: str) -> tuple[int, ...]:
    kinds = ["file", "ssh", "s3"]
    return tuple(kinds.index(kind) if kind in kinds else len(kinds) for kind in reversed(pair.split(" to ")))


def read_document(text: str) -> dict[tuple[str, str], str]:
    """Return the outcomes in a page, by pair and behaviour."""
    rows = [line[2:-2].split(" | ") for line in text.splitlines() if line.startswith("| ")]
    if not rows:
        return {}
    (_, _, *pairs), _, *found = rows
    return {(pair, row[0]): outcome for row in found for pair, outcome in zip(pairs, row[2:], strict=True) if outcome}


def stale(table: Table, text: str) -> Mapping[tuple[str, str], tuple[str | None, str]]:
    """Return where a page differs from what was found: pair and behaviour, then what the page says and what is true."""
    written = read_document(text)
    found = {(pair, behaviour): out for behaviour, cells in table.cells.items() for pair, out in cells.items()}
    return {key: (written.get(key), out) for key, out in found.items() if written.get(key) != out}
