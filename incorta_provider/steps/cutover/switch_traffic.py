"""Send people to the promoted site, once its service is verified."""

from __future__ import annotations

from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.steps.cutover.run import CutoverRun, Result
from incorta_provider.steps.cutover.traffic import send_traffic


def switch_traffic(run: CutoverRun) -> Result:
    """Switch every doer of the topology. Raises as :func:`send_traffic` does."""

    def action(plan: Plan) -> Result:
        return send_traffic(run, plan.target)

    return run.perform(StepName.SWITCH_TRAFFIC, action)
