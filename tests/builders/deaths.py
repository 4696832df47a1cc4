"""A worker that dies by SIGKILL at each moment of each step, at each of them once.

A step has four moments: before it touches anything, behind its work and before its record, behind its record, and
behind its line in the ledger.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from incorta_provider.dr.plan import StepName
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.storage.records.cutover_folder import CutoverFolder

MOMENTS = ("started", "worked", "recorded", "told")
WORKER_SECONDS = 300


class Deaths:
    """The moments at which a worker died already; a file, because it outlives the worker.

    :param moments: those at which one dies.
    """

    def __init__(self, path: Path, moments: tuple[str, ...] = MOMENTS) -> None:
        self._path = path
        self._moments = moments
        path.touch()

    def all(self) -> list[tuple[str, str]]:
        """Return step and moment of each death, in their order."""
        return [(step, moment) for step, moment in map(json.loads, self._path.read_text().splitlines())]

    def die_once(self, step: str, moment: str) -> None:
        """End the process as a machine does that loses its power, unless it did so here before."""
        if moment not in self._moments or (step, moment) in self.all():
            return
        with self._path.open("a") as file:
            file.write(json.dumps([step, moment]) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.kill(os.getpid(), signal.SIGKILL)


def worker_died(work: Callable[[], object], deaths: Deaths) -> bool:
    """Let a worker of its own do something, and tell whether it died of this on the way."""

    def mortal() -> None:
        _make_mortal(deaths)
        work()

    worker = multiprocessing.get_context("fork").Process(target=mortal)
    worker.start()
    worker.join(WORKER_SECONDS)
    if worker.exitcode is None:
        worker.kill()
    assert worker.exitcode in {0, -signal.SIGKILL}, "a worker that nobody killed must end well"
    return worker.exitcode != 0


def _make_mortal(deaths: Deaths) -> None:
    note, record = CutoverRun.note, CutoverFolder.record

    def noting(self: CutoverRun, event: str, key: str, details: Mapping[str, Any], *, actor: str = "") -> None:
        note(self, event, key, details, actor=actor)
        kind = event.partition(".")[2]
        if kind in {"step.started", "step.done"}:
            deaths.die_once(str(details["step"]), "started" if kind == "step.started" else "told")

    def recording(self: CutoverFolder, step: StepName, result: Mapping[str, Any]) -> None:
        deaths.die_once(str(step), "worked")
        record(self, step, result)
        deaths.die_once(str(step), "recorded")

    CutoverRun.note, CutoverFolder.record = noting, recording  # type: ignore[method-assign]
