"""Start the target's services, each with its own step; the sensors between them wait for what is really ready.

The exit status of a documented script is no proof, so none of these steps claims that anything runs.

:raises TransientError: a node cannot be reached, or ZooKeeper has no quorum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.dr.topology import Node
from incorta_provider.exceptions import TransientError
from incorta_provider.services.node import IncortaNode
from incorta_provider.steps.cutover.run import CutoverRun, Result
from incorta_provider.steps.readiness import Part, not_ready, services_of
from incorta_provider.storage.found import mark_diverged


def start_nodes(run: CutoverRun) -> Result:
    """Start the node agents, once ZooKeeper has its quorum: they register there.

    From here on the replica is no recovery point any more, and the catalog says so before the first start.
    """

    def action(_: Plan) -> Result:
        if problem := not_ready(run.target, Part.ZOOKEEPER):
            raise TransientError(
                problem, where=f"ZooKeeper of {run.target.name}", fix="Start its members; this task then goes on."
            )
        mark_diverged(run.target.catalog)
        nodes = run.target.config.nodes
        return {"started": _on_nodes(run, StepName.START_NODES, nodes, lambda node, _: node.start_node())}

    return run.perform(StepName.START_NODES, action)


def start_cmc(run: CutoverRun) -> Result:
    """Start the Cluster Management Console on its node."""

    def action(_: Plan) -> Result:
        nodes = [node for node in run.target.config.nodes if node.conn_id == run.target.config.cmc.node]
        return {"started": _on_nodes(run, StepName.START_CMC, nodes, lambda node, _: node.start_cmc())}

    return run.perform(StepName.START_CMC, action)


def start_loader(run: CutoverRun) -> Result:
    """Start the Loader services."""
    return _start_services(run, StepName.START_LOADER, loader=True)


def start_analytics(run: CutoverRun) -> Result:
    """Start the Analytics services."""
    return _start_services(run, StepName.START_ANALYTICS, loader=False)


def _start_services(run: CutoverRun, step: StepName, *, loader: bool) -> Result:
    def start(node: IncortaNode, config: Node) -> None:
        for service in services_of(config, loader=loader):
            node.start_service(service)

    def action(_: Plan) -> Result:
        nodes = [node for node in run.target.config.nodes if services_of(node, loader=loader)]
        return {"started": _on_nodes(run, step, nodes, start)}

    return run.perform(step, action)


def _on_nodes(
    run: CutoverRun, step: StepName, nodes: Sequence[Node], start: Callable[[IncortaNode, Node], None]
) -> list[str]:
    """Do the same on several nodes at once, and return their names."""
    key = run.script_key(step)

    def on_one(config: Node) -> str:
        with run.target.node(config, key) as node:
            start(node, config)
        return config.conn_id

    if not nodes:
        return []
    with ThreadPoolExecutor(max_workers=len(nodes)) as pool:
        return list(pool.map(on_one, nodes))
