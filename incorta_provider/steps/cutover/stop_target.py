"""Stop what Incorta runs at the target, before its files and its metadata are replaced.

A Loader that runs there writes into the very schema that the next steps drop. The exit status of a stop script is no
proof, so every port must refuse a connection before this step is done.

:raises TransientError: a node cannot be reached, or a part is not proven to be stopped.
:raises ConfigurationError: a connection of a node is wrong.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.exceptions import TransientError
from incorta_provider.steps.access import SiteAccess
from incorta_provider.steps.cutover.fence_source import stop_services
from incorta_provider.steps.cutover.run import CutoverRun, Result
from incorta_provider.steps.running import not_proven_stopped, running


def stop_target(run: CutoverRun) -> Result:
    """Stop services, CMC and node agents of the target; "stopped already" is a pass."""

    def action(_: Plan) -> Result:
        found, key = running(run.target), run.script_key(StepName.STOP_TARGET)
        nodes = run.target.config.nodes
        with ThreadPoolExecutor(max_workers=len(nodes)) as pool:
            list(pool.map(lambda node: stop_services(run.target, node, key), nodes))
        _ensure_stopped(run.target)
        return {"nodes": [node.conn_id for node in nodes], "found_running": found}

    return run.perform(StepName.STOP_TARGET, action)


def _ensure_stopped(site: SiteAccess) -> None:
    if left := not_proven_stopped(site):
        raise TransientError(
            "not proven to be stopped: " + "; ".join(f"{part}: {why}" for part, why in left.items()),
            where=f"site {site.name}",
            fix="Stop it at the node by hand, and let the worker reach its port, then clear this task.",
        )
