"""Take all steps of a drill in one process, as a cutover does, and by the same code: so its times are a cutover's.

Where a cutover leaves what fails to the task of that step, a drill ends: it is taken away and triggered again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from incorta_provider.dr.plan import StepName
from incorta_provider.exceptions import TransientError
from incorta_provider.steps.cutover.run import Result
from incorta_provider.steps.cutover.take_steps import take_each
from incorta_provider.steps.drill.actions import ACTIONS
from incorta_provider.steps.drill.run import DrillRun

_STEPS: Mapping[StepName, Callable[[DrillRun], Result]] = {
    name: action for name, action in ACTIONS.items() if name != StepName.CLEAN_DRILL
}


def take_drill(run: DrillRun) -> Result:
    """Take every step up to the verified service; safe to repeat, what is done is not done again.

    :raises DrError: what the step that failed raised; of two, the one that no further try mends.
    """
    failed = take_each(run, _STEPS)
    if failed:
        raise min(failed.values(), key=lambda error: isinstance(error, TransientError))
    return {"done": sorted(run.folder.done())}
