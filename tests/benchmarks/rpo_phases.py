"""Where the time of a replication run goes: what its tasks do, and what Airflow needs to have them done.

Of each task: ``work`` is what the step itself took, by its own log line; ``start`` what the task took beyond that (a
process of its own, imports, the report of its end); ``wait`` the time from the end of the task before to its start,
which is the scheduler's.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from lab.airflow.client import AirflowClient, Task

_TOOK = re.compile(r"^(\w+) took ([0-9.]+) s$")


@dataclass(frozen=True, slots=True)
class TaskTime:
    """Seconds of one task of one run."""

    task_id: str
    wait: float
    start: float
    work: float


def run_times(tasks: Iterable[Task], work: Mapping[str, float], before: float | None) -> list[TaskTime]:
    """Return the times of a run's tasks in their order.

    :param work: what each step took; none for one that says nothing.
    :param before: when the run before ended, seconds since the epoch; None when there was none.
    """
    times, ended = [], before
    for task in sorted((task for task in tasks if task.duration is not None), key=lambda task: task.start):
        began = datetime.fromisoformat(task.start).timestamp()
        own = min(work.get(task.task_id, 0.0), task.duration or 0.0)
        times.append(TaskTime(task.task_id, began - (ended or began), (task.duration or 0.0) - own, own))
        ended = began + (task.duration or 0.0)
    return times


def end_of(tasks: Iterable[Task]) -> float:
    """Return when the last task of a run ended, seconds since the epoch."""
    return max(datetime.fromisoformat(task.start).timestamp() + (task.duration or 0.0) for task in tasks if task.start)


def step_seconds(airflow: AirflowClient, dag_id: str, run_id: str, tasks: Iterable[Task]) -> dict[str, float]:
    """Return what each step of a run took, by its own log."""
    lines = (line for task in tasks if task.duration is not None for line in airflow.log(dag_id, run_id, task))
    return {found[1]: float(found[2]) for line in lines if (found := _TOOK.match(line))}


def medians(runs: Iterable[list[TaskTime]]) -> dict[str, dict[str, float]]:
    """Return the medians of each task, and of whole runs as ``run``."""
    runs = list(runs)
    by_task: dict[str, list[TaskTime]] = {}
    for task in (task for run in runs for task in run):
        by_task.setdefault(task.task_id, []).append(task)
    whole = [TaskTime("run", *(sum(getattr(task, part) for task in run) for part in _PARTS)) for run in runs]
    return {
        name: {f"{part}_s": round(statistics.median(getattr(time, part) for time in times), 2) for part in _PARTS}
        for name, times in {**by_task, "run": whole}.items()
    }


_PARTS = ("wait", "start", "work")
