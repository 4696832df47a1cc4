"""Where the time of a replication run goes: what its steps do, and what Airflow needs to have them done."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lab.airflow.client import AirflowClient, Task

_TOOK = re.compile(r"^(\w+) took ([0-9.]+) s$")


@dataclass(frozen=True, slots=True)
class RunTime:
    """Seconds of one run, from the end of the run before to its own.

    :param wait: until a task began, which is the scheduler's: behind the run before, and behind each task.
    :param start: what the tasks took beyond their steps: a process for each, imports, the report of its end.
    :param steps: what each step itself took, by its own log line.
    """

    wait: float
    start: float
    steps: Mapping[str, float]


def run_time(tasks: Iterable[Task], steps: Mapping[str, float], before: float | None) -> RunTime:
    """Return the times of a run.

    :param before: when the run before ended, seconds since the epoch; None when that is not known.
    """
    ran = sorted((task for task in tasks if task.duration is not None), key=lambda task: task.start)
    began = [datetime.fromisoformat(task.start).timestamp() for task in ran]
    ended = [start + (task.duration or 0.0) for start, task in zip(began, ran, strict=True)]
    former = [before if before is not None else began[0], *ended[:-1]]
    wait = sum(start - end for start, end in zip(began, former, strict=True))
    return RunTime(wait, sum(task.duration or 0.0 for task in ran) - sum(steps.values()), steps)


def end_of(tasks: Iterable[Task]) -> float:
    """Return when the last task of a run ended, seconds since the epoch."""
    return max(datetime.fromisoformat(task.start).timestamp() + (task.duration or 0.0) for task in tasks if task.start)


def step_seconds(airflow: AirflowClient, dag_id: str, run_id: str, tasks: Iterable[Task]) -> dict[str, float]:
    """Return what each step of a run took, by its own log."""
    lines = (line for task in tasks if task.duration is not None for line in airflow.log(dag_id, run_id, task))
    return {found[1]: float(found[2]) for line in lines if (found := _TOOK.match(line))}


def medians(runs: Sequence[RunTime]) -> dict[str, float]:
    """Return the medians of all runs: of the scheduler, of the tasks' start, and of each step."""
    phases = {"scheduler": [run.wait for run in runs], "task start": [run.start for run in runs]}
    for run in runs:
        for step, seconds in run.steps.items():
            phases.setdefault(step, []).append(seconds)
    return {name: round(statistics.median(seconds), 2) for name, seconds in phases.items() if seconds}
