"""Give the group's lock back, whatever happened before."""

from __future__ import annotations

import logging

from incorta_provider.steps.locking import give_back
from incorta_provider.steps.replication.run import ReplicationRun

log = logging.getLogger(__name__)


def release(run: ReplicationRun) -> None:
    """Release the lock if this run holds it; one that a cutover or a later run took over stays theirs."""
    if not give_back(run.access, run.target, run.run_id):
        log.info("the lock is another run's by now")
