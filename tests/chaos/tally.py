"""Counts crash points, for ``.bench/chaos.json``: ``{"storage": {"points": 412, "lost": 0}, …}``.

A point is one moment at which something was killed and resumed; it is lost when what was asserted behind it failed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

RESULT = Path(__file__).parents[2] / ".bench" / "chaos.json"


@dataclass
class Tally:
    """The points of one part of the product."""

    points: int = 0
    lost: int = 0

    @contextmanager
    def point(self) -> Iterator[None]:
        """Count what is asserted in the block as one point."""
        self.points += 1
        self.lost += 1
        yield
        self.lost -= 1


@dataclass
class Tallies:
    """All of a test run."""

    parts: dict[str, Tally] = field(default_factory=dict)

    def of(self, part: str) -> Tally:
        """Return the tally of a part."""
        return self.parts.setdefault(part, Tally())

    def save(self, path: Path = RESULT) -> None:
        """Write down the parts that this run counted; those of other runs stay."""
        if not self.parts:
            return
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        path.parent.mkdir(exist_ok=True)
        merged = known | {part: asdict(tally) for part, tally in self.parts.items()}
        path.write_text(json.dumps(merged, indent=1, sort_keys=True) + "\n", encoding="utf-8")
