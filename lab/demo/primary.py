"""The primary: Incorta's metadata, its services, and load jobs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from incorta_provider.connection import connections_from_file
from incorta_provider.dr.site import Node
from incorta_provider.services.node import IncortaNode
from incorta_provider.steps.access import SiteAccess, group_access
from incorta_provider.steps.readiness import Part, not_ready, services_of
from incorta_provider.steps.topology_file import read_topology
from lab.demo.command_line import ensure_done
from lab.demo.progress import Progress, wait_until_fine
from lab.incorta.database import connect
from lab.incorta.install import install
from lab.incorta.live import live_tables
from lab.incorta.settings import load_settings
from lab.layout import GROUP, PRIMARY, Lab
from lab.supervisor import Supervisor
from lab.workload.dataset import SCHEMAS

READY_SECONDS = 120
_CHECKOUT = Path(__file__).resolve().parent.parent.parent


def install_primary(lab: Lab, progress: Progress) -> None:
    """Put the first metadata into the primary's database, and record at both sites that the primary is active."""
    install(load_settings(lab.site(PRIMARY).node(1).home), SCHEMAS)
    progress(f"metadata installed: {sum(len(tables) for tables in SCHEMAS.values())} tables to load")
    for line in ensure_done(lab, "epoch", "init", "--group", GROUP, "--active", PRIMARY).splitlines():
        progress(line)


def start_primary(lab: Lab, progress: Progress) -> None:
    """Start the services by their documented scripts over SSH, each when the one before it is ready."""
    connections = connections_from_file(lab.connections_file)
    site = group_access(read_topology(lab.topology_file), GROUP, connections).site(PRIMARY)
    nodes = site.config.nodes
    cmc_nodes = [node for node in nodes if node.conn_id == site.config.cmc.node]
    _start(site, Part.NODES, nodes, lambda node, _: node.start_node(), progress)
    _start(site, Part.CMC, cmc_nodes, lambda node, _: node.start_cmc(), progress)
    _start(site, Part.LOADER, nodes, lambda node, config: _start_services(node, config, loader=True), progress)
    _start(site, Part.ANALYTICS, nodes, lambda node, config: _start_services(node, config, loader=False), progress)


def start_workload(lab: Lab, progress: Progress) -> None:
    """Start load jobs, one after the other, and wait for the first: a point before it has no table to be asked for."""
    argv = [sys.executable, "-m", "lab.workload", "--lab", str(lab.root), "--base", str(lab.base)]
    log = lab.workload / "workload.log"
    Supervisor(lab).start("workload", argv, log=log, site=PRIMARY, cwd=_CHECKOUT)
    wait_until_fine(f"the first load of {PRIMARY}", lambda: _nothing_loaded(lab), seconds=READY_SECONDS)
    progress("load jobs run")


def _nothing_loaded(lab: Lab) -> str | None:
    with closing(connect(load_settings(lab.site(PRIMARY).node(1).home).database)) as session:
        return None if live_tables(session) else "no table is live"


def _start(
    site: SiteAccess, part: Part, nodes: Iterable[Node], start: Callable[[IncortaNode, Node], None], progress: Progress
) -> None:
    """Start one part at several nodes at once, and wait until it is ready."""

    def on_one(config: Node) -> None:
        with site.node(config) as node:
            start(node, config)

    with ThreadPoolExecutor() as pool:
        list(pool.map(on_one, nodes))
    wait_until_fine(f"{part} of {site.name}", lambda: not_ready(site, part), seconds=READY_SECONDS)
    progress(f"{part} ready")


def _start_services(node: IncortaNode, config: Node, *, loader: bool) -> None:
    for service in services_of(config, loader=loader):
        node.start_service(service)
