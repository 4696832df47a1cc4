"""Stop what Incorta runs at the target, before its files and its metadata are replaced.

A Loader that runs there writes into the very schema that the next steps drop. The exit status of a stop script is no
proof, so every port must refuse a connection before this step is done.

:raises TransientError: a node cannot be reached, or a part is not proven to be stopped.
:raises ConfigurationError: a connection of a node is wrong.
"""

from __future__ import annotations

from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.steps.cutover.run import CutoverRun, Result
from incorta_provider.steps.running import running
from incorta_provider.steps.site_stop import ensure_stopped, stop_site

FIX = "Stop it at the node by hand, and let the worker reach its port, then clear this task."


def stop_target(run: CutoverRun) -> Result:
    """Stop services, CMC and node agents of the target; "stopped already" is a pass."""

    def action(_: Plan) -> Result:
        found, key = running(run.target), run.script_key(StepName.STOP_TARGET)
        stop_site(run.target, key)
        ensure_stopped(run.target, fix=FIX)
        return {"nodes": [node.conn_id for node in run.target.config.nodes], "found_running": found}

    return run.perform(StepName.STOP_TARGET, action)
