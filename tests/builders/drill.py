"""A group whose DR site has a place for drills."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from incorta_provider.dr.plan import Mode
from incorta_provider.dr.topology import Topology
from incorta_provider.steps.access import group_access
from incorta_provider.steps.drill.run import DrillRun, drill_run
from tests.builders.group import Bench, connections, frozen_plan, topology_document

RULES = [{"table": "SCHEDULED_JOB", "column": "STATUS", "to": "DISABLED"}]


def drill_section(root: Path, site: str = "newyork") -> dict[str, Any]:
    """Return a place for drills of one node."""
    name = f"{site}_drill"
    return {
        "storage": f"file://{root}/{site}/drill",
        "schema": "_dr_drill_incorta",
        "zookeeper": {"conn_id": f"{name}_zookeeper"},
        "nodes": [{"conn_id": f"{name}_node1", "services": ["loaderService", "analyticsService"]}],
        "cmc": {"conn_id": f"{name}_cmc", "cluster": "acme_drill", "node": f"{name}_node1"},
        "analytics": {"conn_id": f"{name}_analytics", "tenant": "acme"},
        "values": {"tenants_path": f"/mnt/{site}-drill/Tenants", "smtp_host": "localhost"},
    }


def drill_document(root: Path) -> dict[str, Any]:
    """Return a right topology with a place for drills at newyork, to be spoiled by a test."""
    document = topology_document(root)
    group = document["groups"]["acme"]
    group["metadata"]["drill"] = [dict(rule) for rule in RULES]
    group["sites"]["newyork"]["drill"] = drill_section(root)
    return document


def with_drill(bench: Bench) -> Bench:
    """Give the bench's DR site a place for drills."""
    topology = Topology.model_validate(drill_document(bench.root))
    found = connections(bench.passwords, bench.absent)
    bench.access = group_access(topology, "acme", found, bench.clock)
    return bench


def planned_drill(bench: Bench, run_id: str = "manual__drill") -> DrillRun:
    """Return a drill with a plan for the newest point, made now if there is none."""
    run = drill_run(bench.access, "newyork", run_id, "hana")
    frozen_plan(bench, run, mode=Mode.DRILL)
    return run
