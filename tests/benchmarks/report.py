"""Rows of results: a table for people and a JSON file for everyone else.

A row is one kind of work against one tool. Nothing here judges: a bar that is missed is printed, not asserted.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.benchmarks.contest import Sample, Samples

OURS = "ours"
ALL_PASSES = "ours, with pre-copy"


@dataclass(frozen=True, slots=True)
class Row:
    """One result.

    :param ours_s: seconds; each figure is the median of ``runs``.
    :param ratio: ours by theirs; ``bar`` is the highest that the project allows itself.
    :param ours_cpu_s: processor seconds, medians too; ``theirs_cpu_s`` likewise, database servers left out of both.
    :param peak_mib: the highest that all our processes together ever took.
    :param phases: where our seconds went; those whose name says "beside" overlap with others.
    :param all_passes_s: of the whole protocol, which copies before the dump too; None where that was not measured.
    :param load: of the machine, when the contest was over: processes that want to run.
    """

    id: str
    name: str
    against: str
    ours_s: float
    theirs_s: float
    ratio: float
    bar: float
    ours_cpu_s: float
    theirs_cpu_s: float
    peak_mib: float
    all_passes_s: float | None
    runs: Mapping[str, Sequence[float]]
    phases: Mapping[str, float]
    size: str
    load: float
    command: str


@dataclass
class Report:
    """The rows of one JSON file, written again with each row, so that a run that is cut off has what it measured.

    Rows of other work that the file holds stay: each kind of work may be measured alone.
    """

    path: Path
    command: str
    rows: list[Row] = field(default_factory=list)

    def add(self, row_id: str, name: str, samples: Samples, bars: Mapping[str, float], *, size: str) -> None:
        """Add one row for each tool.

        :param bars: by the contender's name.
        :param size: what exactly was worked on.
        """
        for against, bar in bars.items():
            ours_s, theirs_s = _median(samples[OURS]), _median(samples[against])
            self.rows.append(
                Row(
                    id=row_id,
                    name=name,
                    against=against,
                    ours_s=ours_s,
                    theirs_s=theirs_s,
                    ratio=round(ours_s / theirs_s, 3),
                    bar=bar,
                    ours_cpu_s=_median_cpu(samples[OURS]),
                    theirs_cpu_s=_median_cpu(samples[against]),
                    peak_mib=round(max(sample.peak_mib for sample in samples[OURS]), 1),
                    all_passes_s=_median(samples[ALL_PASSES]) if ALL_PASSES in samples else None,
                    runs={who: [round(sample.seconds, 3) for sample in their] for who, their in samples.items()},
                    phases=_phases(samples[OURS]),
                    size=size,
                    load=round(os.getloadavg()[0], 1),
                    command=self.command,
                )
            )
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text(json.dumps(self._all_rows(), indent=1) + "\n", encoding="utf-8")

    def _all_rows(self) -> list[dict[str, object]]:
        """Return the rows of this run, and those of earlier runs for work that this one did not do; by id."""
        known = json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else []
        own = {row.id for row in self.rows}
        rows = [row for row in known if row["id"] not in own] + [asdict(row) for row in self.rows]
        return sorted(rows, key=lambda row: str(row["id"]))

    def lines(self) -> list[str]:
        """Return the table, and below it where our time went."""
        each_work = {row.id: row for row in self.rows}.values()
        return [_LINE.format(**_TITLES), *map(_line, self.rows), *map(_spent, each_work)]


_LINE = (
    "{id:<4}{size:<54}{against:<36}{ours:>8}{theirs:>8}{ratio:>7}{bar:>6}"
    "{cpu:>8}{their_cpu:>8}{mib:>5}{passes:>9}{load:>6}"
)
_TITLES = {
    "id": "id",
    "size": "work",
    "against": "against",
    "ours": "ours s",
    "theirs": "theirs",
    "ratio": "ratio",
    "bar": "bar",
    "cpu": "cpu s",
    "their_cpu": "theirs",
    "mib": "MiB",
    "passes": "passes s",
    "load": "load",
}


def _line(row: Row) -> str:
    return _LINE.format(
        id=row.id,
        size=row.size,
        against=row.against,
        ours=f"{row.ours_s:.2f}",
        theirs=f"{row.theirs_s:.2f}",
        ratio=f"{row.ratio:.2f}",
        bar=f"{row.bar:g}",
        cpu=f"{row.ours_cpu_s:.2f}",
        their_cpu=f"{row.theirs_cpu_s:.2f}",
        mib=f"{row.peak_mib:.0f}",
        passes="" if row.all_passes_s is None else f"{row.all_passes_s:.2f}",
        load=f"{row.load:.1f}",
    )


def _spent(row: Row) -> str:
    return f"{row.id} seconds: " + ", ".join(f"{name} {seconds:.2f}" for name, seconds in row.phases.items())


def _median(samples: Sequence[Sample]) -> float:
    return round(statistics.median(sample.seconds for sample in samples), 3)


def _median_cpu(samples: Sequence[Sample]) -> float:
    return round(statistics.median(sample.cpu_seconds for sample in samples), 3)


def _phases(samples: Sequence[Sample]) -> dict[str, float]:
    """Return the phases of the median run, the longest first."""
    middle = sorted(samples, key=lambda sample: sample.seconds)[len(samples) // 2]
    ordered = sorted(middle.phases.items(), key=lambda item: -item[1])
    return {name: round(seconds, 3) for name, seconds in ordered}
