"""Lists crash points, for ``.bench/chaos.json``.

``{"storage": {"points": 412, "lost": 0, "scenarios": {"seal": {"points": 40, "lost": 0, "tried": ["before …", …]}}}}``

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
class Scenario:
    """The points of one thing that was killed.

    :ivar tried: the moments, as far as they have names; those that were lost end in ``: lost``.
    """

    points: int = 0
    lost: int = 0
    tried: list[str] = field(default_factory=list)


@dataclass
class Tally:
    """The points of one part of the product, in all and by what was killed."""

    points: int = 0
    lost: int = 0
    scenarios: dict[str, Scenario] = field(default_factory=dict)

    @contextmanager
    def point(self, scenario: str, moment: str) -> Iterator[None]:
        """Count what is asserted in the block as one point.

        :param moment: when it was killed, in words.
        """
        found = self.scenarios.setdefault(scenario, Scenario())
        for counted in (self, found):
            counted.points += 1
            counted.lost += 1
        place = len(found.tried)
        found.tried.append(f"{moment}: lost")
        yield
        found.tried[place] = moment
        for counted in (self, found):
            counted.lost -= 1


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
