"""Take the steps of a cutover one after the other in one process, as fast as the site's own services let it.

Between two tasks Airflow needs about two seconds; with a task for each step that was most of the RTO. So one task takes
every step that may be taken, members of a group beside each other, and waits itself for what has to be ready. The
tasks behind it find their step done in this round, and return its result. What it cannot do it leaves to the task of
that step, which has the retries and the error to show: nothing that happens here fails a cutover.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from incorta_provider.dr.machine import ready_steps
from incorta_provider.dr.plan import StepName
from incorta_provider.exceptions import DrError, NothingToDo
from incorta_provider.steps.cutover.apply import apply
from incorta_provider.steps.cutover.compare import compare
from incorta_provider.steps.cutover.fence import fence
from incorta_provider.steps.cutover.final_sync import final_sync
from incorta_provider.steps.cutover.promote import promote
from incorta_provider.steps.cutover.quiesce import quiesce
from incorta_provider.steps.cutover.restore import restore
from incorta_provider.steps.cutover.rewrite import rewrite_metadata
from incorta_provider.steps.cutover.run import CutoverRun, Result
from incorta_provider.steps.cutover.start import start_analytics, start_cmc, start_loader, start_nodes
from incorta_provider.steps.cutover.stop_target import stop_target
from incorta_provider.steps.cutover.switch_traffic import switch_traffic
from incorta_provider.steps.cutover.verify import verify_service
from incorta_provider.steps.foreign_errors import own_errors
from incorta_provider.steps.readiness import Part
from incorta_provider.steps.site_services import wait_until_ready

log = logging.getLogger(__name__)

Run = TypeVar("Run", bound=CutoverRun)

STEPS: Mapping[StepName, Callable[[CutoverRun], Result]] = {
    StepName.QUIESCE: quiesce,
    StepName.FINAL_SYNC: final_sync,
    StepName.FENCE: fence,
    StepName.STOP_TARGET: stop_target,
    StepName.APPLY: apply,
    StepName.RESTORE: restore,
    StepName.REWRITE: rewrite_metadata,
    StepName.COMPARE: compare,
    StepName.START_NODES: start_nodes,
    StepName.START_CMC: start_cmc,
    StepName.START_LOADER: start_loader,
    StepName.START_ANALYTICS: start_analytics,
    StepName.VERIFY: verify_service,
    StepName.SWITCH_TRAFFIC: switch_traffic,
    StepName.PROMOTE: promote,
}
"""All that need no person: a commit window is where this ends, until it was answered."""

READY_BEFORE: Mapping[StepName, Sequence[Part]] = {
    StepName.START_CMC: (Part.NODES,),
    StepName.START_LOADER: (Part.CMC,),
    StepName.START_ANALYTICS: (Part.CMC,),
    StepName.VERIFY: (Part.LOADER, Part.ANALYTICS),
}
"""What must be ready before a step, whoever started it and when."""


Failures = dict[StepName, DrError | NothingToDo]


def take_steps(run: CutoverRun) -> Result:
    """Take every step whose turn comes, until none is left, a person is needed, or one cannot be done.

    :return: the steps that are done, and why the next one is not; empty when nothing is left.
    """
    failed = take_each(run, STEPS)
    left = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
    if left:
        log.warning("left to the task of that step: %s", left)
    return {"done": sorted(run.folder.done()), "left": left}


def take_each(run: Run, steps: Mapping[StepName, Callable[[Run], Result]]) -> Failures:
    """Take every one of these steps whose turn comes, and return why the last of them failed; nothing when none did."""
    failed: Failures = {}
    with run.access.kept.keeping():
        while not failed and (names := _next_steps(run, steps)):
            if StepName.VERIFY in names:
                run.access.leave_nodes()  # what ends with the login that started it must not look like a service
            with ThreadPoolExecutor(max_workers=len(names)) as pool:
                reasons = pool.map(lambda name: _attempt(run, name, steps[name]), names)
                failed = {name: reason for name, reason in zip(names, reasons, strict=True) if reason is not None}
    return failed


def _next_steps(run: CutoverRun, steps: Container[StepName]) -> list[StepName]:
    return [name for name in ready_steps(run.folder.plan(), run.folder.progress()) if name in steps]


def _attempt(run: Run, name: StepName, step: Callable[[Run], Result]) -> DrError | NothingToDo | None:
    """Wait for what a step needs and take it; return why it is not done, if so."""
    try:
        with own_errors():
            for part in READY_BEFORE.get(name, ()):
                wait_until_ready(run.target, part)
            step(run)
    except (DrError, NothingToDo) as reason:
        return reason
    return None
