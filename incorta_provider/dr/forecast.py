"""The RTO to expect of the next unplanned cutover, by what a drill measured. Pure.

A drill takes its steps as a cutover does, so its time from files in place to the verified service stands for a
cutover's from the stopped target to the verified service. What a cutover does before, a drill has elsewhere or not:

- *Airflow*: between the answer and the first step two tasks begin, one that takes the answer and one that takes the
  steps. A drill has one such moment, between its frozen plan and its first step.
- *stop_target*: a drill stops its own place first, which as a rule is as empty as the target.
- *fence*: nothing that could be tried. Earlier cutovers to this site say how long it takes; without any it is left out,
  which the forecast says.

Rolling the replica (*apply*) is not in it: that runs beside the restore. Nor is what the place for drills has less of
than the site: a place of one node starts faster than a site of eight.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from incorta_provider.dr.ledger import LedgerEntry

TASKS_BEFORE_THE_STEPS = 2
"""So many tasks of Airflow begin between the answer and the first step of a cutover."""


class Forecast(BaseModel):
    """The seconds of an unplanned cutover from the approval to the verified service, by part.

    :ivar airflow_seconds: until the first step begins.
    :ivar fence_seconds: None while no cutover to this site is known.
    :ivar stop_seconds: for stopping the target.
    :ivar steps_seconds: from there to the verified service.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")  # a report outlives the release that wrote it

    airflow_seconds: float
    fence_seconds: float | None = None
    stop_seconds: float
    steps_seconds: float

    @property
    def seconds(self) -> float:
        """All of it."""
        parts = (self.airflow_seconds, self.fence_seconds or 0.0, self.stop_seconds, self.steps_seconds)
        return round(sum(parts), 3)

    @property
    def in_words(self) -> str:
        """Return it in words.

        >>> Forecast(airflow_seconds=2, stop_seconds=3, steps_seconds=7.5).in_words
        '12.5 s: Airflow 2 s, stop_target 3 s, the rest 7.5 s; without the fence, which no cutover has shown yet'
        """
        fence = "" if self.fence_seconds is None else f"fence {self.fence_seconds:g} s, "
        missing = "; without the fence, which no cutover has shown yet" if self.fence_seconds is None else ""
        return (
            f"{self.seconds:g} s: Airflow {self.airflow_seconds:g} s, {fence}stop_target {self.stop_seconds:g} s, "
            f"the rest {self.steps_seconds:g} s{missing}"
        )

    @classmethod
    def known(cls, fields: dict[str, Any]) -> Self | None:
        """Return the forecast of these parts; None while one of them but the fence is not known."""
        needed = ("airflow_seconds", "stop_seconds", "steps_seconds")
        return None if any(fields.get(name) is None for name in needed) else cls.model_validate(fields)


def airflow_seconds(lines: Sequence[LedgerEntry]) -> float | None:
    """Return how long Airflow needs from the answer to the first step, by the ledger of a drill.

    :param lines: what the drill wrote, the oldest first.
    :return: None for a drill that did not come to its first step, or whose lines are lost.
    """
    frozen, first = (_first(lines, event) for event in ("drill.requested", "drill.step.started"))
    if frozen is None or first is None:
        return None
    return round(TASKS_BEFORE_THE_STEPS * (first - frozen).total_seconds(), 3)


def _first(lines: Sequence[LedgerEntry], event: str) -> datetime | None:
    return next((line.at for line in lines if line.event == event), None)
