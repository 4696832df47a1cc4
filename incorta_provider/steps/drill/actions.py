"""What does each step of a drill: its own, and those that it shares with a cutover."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from incorta_provider.dr.plan import StepName
from incorta_provider.steps.cutover.compare import compare
from incorta_provider.steps.cutover.restore import restore
from incorta_provider.steps.cutover.rewrite import rewrite_metadata
from incorta_provider.steps.cutover.run import Result
from incorta_provider.steps.cutover.start import start_analytics, start_cmc, start_loader, start_nodes
from incorta_provider.steps.drill.clean import clean_drill
from incorta_provider.steps.drill.prepare import prepare_drill
from incorta_provider.steps.drill.prove import prove_point
from incorta_provider.steps.drill.run import DrillRun

ACTIONS: Mapping[StepName, Callable[[DrillRun], Result]] = {
    StepName.PREPARE_DRILL: prepare_drill,
    StepName.RESTORE: restore,
    StepName.REWRITE: rewrite_metadata,
    StepName.COMPARE: compare,
    StepName.START_NODES: start_nodes,
    StepName.START_CMC: start_cmc,
    StepName.START_LOADER: start_loader,
    StepName.START_ANALYTICS: start_analytics,
    StepName.VERIFY: prove_point,
    StepName.CLEAN_DRILL: clean_drill,
}
