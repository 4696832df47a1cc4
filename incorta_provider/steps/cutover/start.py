"""Start the target's services, each with its own step; the sensors between them wait for what is really ready.

:raises TransientError: a node cannot be reached, or ZooKeeper has no quorum.
"""

from __future__ import annotations

from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.steps.cutover.run import CutoverRun, Result
from incorta_provider.steps.readiness import Part
from incorta_provider.steps.site_services import start_part
from incorta_provider.storage.apply.actual import mark_diverged


def start_nodes(run: CutoverRun) -> Result:
    """Start the node agents, once ZooKeeper has its quorum: they register there.

    From here on the replica is no recovery point any more, and the catalog says so before the first start. A drill has
    files of its own, and leaves the replica what it is.
    """

    def action(plan: Plan) -> Result:
        start_part(run.target, Part.ZOOKEEPER, run.script_key(StepName.START_NODES))
        if plan.mode.is_cutover:
            mark_diverged(run.target.catalog)
        return _started(run, StepName.START_NODES, Part.NODES)

    return run.perform(StepName.START_NODES, action)


def start_cmc(run: CutoverRun) -> Result:
    """Start the Cluster Management Console on its node."""
    return run.perform(StepName.START_CMC, lambda _: _started(run, StepName.START_CMC, Part.CMC))


def start_loader(run: CutoverRun) -> Result:
    """Start the Loader services."""
    return run.perform(StepName.START_LOADER, lambda _: _started(run, StepName.START_LOADER, Part.LOADER))


def start_analytics(run: CutoverRun) -> Result:
    """Start the Analytics services."""
    return run.perform(StepName.START_ANALYTICS, lambda _: _started(run, StepName.START_ANALYTICS, Part.ANALYTICS))


def _started(run: CutoverRun, step: StepName, part: Part) -> Result:
    return {"started": start_part(run.target, part, run.script_key(step))}
