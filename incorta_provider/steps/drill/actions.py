"""What does each step of a drill: its own, and those that it shares with a cutover."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from incorta_provider.dr.plan import Mode, StepName
from incorta_provider.dr.planning import GROUPS
from incorta_provider.steps.cutover.run import Result
from incorta_provider.steps.cutover.take_steps import STEPS
from incorta_provider.steps.drill.clean import clean_drill
from incorta_provider.steps.drill.prepare import prepare_drill
from incorta_provider.steps.drill.prove import prove_point
from incorta_provider.steps.drill.run import DrillRun

_OWN: Mapping[StepName, Callable[[DrillRun], Result]] = {
    StepName.PREPARE_DRILL: prepare_drill,
    StepName.VERIFY: prove_point,
    StepName.CLEAN_DRILL: clean_drill,
}

ACTIONS: Mapping[StepName, Callable[[DrillRun], Result]] = {
    name: _OWN.get(name) or STEPS[name] for group in GROUPS[Mode.DRILL] for name in group
}
"""In the order of the plan."""
