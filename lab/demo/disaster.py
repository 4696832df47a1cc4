"""Loses the primary site in the middle of a load job."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from lab.demo.progress import Progress, wait_for
from lab.layout import PRIMARY, Lab
from lab.up import kill_site
from lab.workload.commit_log import CommitLog, Phase

NEXT_JOB_SECONDS = 120
INTO_THE_JOB = 0.4
"""Seconds from the beginning of the job to the kill: some of its files are written, one is half, others are not."""


@dataclass(frozen=True, slots=True)
class Disaster:
    """How the site was lost.

    :param counter: the commit that the killed load job was going to make.
    """

    at: datetime
    counter: int


def lose_primary(lab: Lab, progress: Progress) -> Disaster:
    """Kill everything of the primary while a load job writes its files, not before a new one has begun."""
    log = CommitLog(lab.workload)
    counter = wait_for("a load job to interrupt", lambda: _in_the_middle(log), seconds=NEXT_JOB_SECONDS, every=0)
    at = datetime.now(UTC)
    kill_site(lab, PRIMARY, progress)
    progress(f"killed while load job {counter} was writing; {len(log.commits())} commits were reported before")
    return Disaster(at, counter)


def _in_the_middle(log: CommitLog) -> int | None:
    """Watch for a moment; return the counter of a load job that began meanwhile and still writes its files."""
    before = _loading(log)
    time.sleep(0.05)
    counter = _loading(log)
    if counter is None or counter == before:
        return None
    time.sleep(INTO_THE_JOB)
    return counter if _loading(log) == counter else None


def _loading(log: CommitLog) -> int | None:
    """Return the counter of the load job that is writing its files now."""
    try:
        state = json.loads(log.state_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return int(state["counter"]) if state["phase"] == Phase.LOAD else None
