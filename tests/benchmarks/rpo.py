"""How old the newest recovery point is, as somebody outside sees it: from the start of its sync, at every moment.

Times are seconds since the epoch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from incorta_provider.storage.catalog import Catalog

_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Sealed:
    """A recovery point.

    :param opened_at: when its sync started; what was written behind that moment may not be in it.
    :param seen_at: when it was first there to be seen, which is not before its seal.
    """

    id: str
    run_id: str
    opened_at: float
    seen_at: float
    exceptions: tuple[str, ...] = ()


@dataclass
class Watch:
    """Looks at a catalog from outside and notes when each point appears.

    :ivar points: oldest first; those that were there at the first look count as seen then.
    """

    catalog: Catalog
    points: list[Sealed] = field(default_factory=list)

    def look(self) -> None:
        """Look once; only records that were not seen before are read."""
        now, known = time.time(), {point.id for point in self.points}
        for path in sorted((self.catalog.root / "points").glob("*/point.json")):
            if path.parent.name not in known:
                self.points.append(self._seen(path, now))

    def until(self, end: float) -> None:
        """Look ten times a second until then."""
        while time.time() < end:
            self.look()
            time.sleep(_LOOK_SECONDS)

    def _seen(self, path: Path, now: float) -> Sealed:
        point = self.catalog.get(path.parent.name)
        return Sealed(point.id, point.run_id, point.opened_at.timestamp(), now, point.exceptions)


def ages(points: Sequence[Sealed], begin: float, end: float) -> list[float]:
    """Return the age of the newest point at each second of a time, and right before each seal in it.

    :param points: the first of them is there at ``begin``.
    """
    seals = [point.seen_at for point in points if begin < point.seen_at <= end]
    moments = sorted([*(begin + second for second in range(math.floor(end - begin) + 1)), *seals])
    found = []
    for moment in moments:
        newest = max(point.opened_at for point in points if point.seen_at < moment or point.seen_at <= begin)
        found.append(moment - newest)
    return found


def missed_bar(result: Mapping[str, Any], bar_seconds: float) -> list[str]:
    """Return in which ways a measurement is not what is asked for; none when it is.

    :param result: ``p95_s``, ``points`` and ``failed_runs``: a run that failed is a point that was missed.
    """
    faults = []
    if result["p95_s"] >= bar_seconds:
        faults.append(f"95 % of the time the RPO was up to {result['p95_s']} s, and is to be below {bar_seconds:g} s")
    if result["failed_runs"] or not result["points"]:
        faults.append(f"points were missed: {result['points']} made, {result['failed_runs']} run(s) failed")
    return faults


def percentile(values: Iterable[float], share: float) -> float:
    """Return the smallest value that at least this share of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
