"""Which tables a load job brings in. Pure: the counter and the seed decide, so that a run can be repeated."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass

FEWEST, MOST = 2, 4


@dataclass(frozen=True, slots=True)
class JobPlan:
    """One load job.

    :param tables: full names, in the order in which they are loaded.
    """

    counter: int
    name: str
    tables: tuple[str, ...]


def next_job(counter: int, tables: Sequence[str], *, loaded: Collection[str], seed: int) -> JobPlan:
    """Return the job that becomes commit ``counter``: two to four tables, or all while some were never loaded."""
    if not set(tables) <= set(loaded):
        return JobPlan(counter, f"first load {counter}", tuple(tables))
    draw = random.Random(f"{seed}/{counter}")
    chosen = draw.sample(list(tables), draw.randint(FEWEST, MOST))
    return JobPlan(counter, f"load {counter}: {len(chosen)} tables", tuple(chosen))
