"""The Incorta home of a node: the folders, the documented scripts, and the settings that replication never carries.

``IncortaNode/node.json`` (mode 0600) stands for what a real installation keeps in its own configuration: where the
metadata database, the ensemble and the shared storage of *this* site are.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from lab.files import write
from lab.incorta.scripts import SERVICES, ScriptFacts, guid, render
from lab.layout import GROUP, Node, SiteKind
from lab.passwords import SitePasswords
from lab.supervisor import markers
from lab.topology import ADMINISTRATOR, site_values

RELEASE = "2025.7.0"
"""The release of both sites; they must be the same."""

_NODE_PORTS: tuple[SiteKind, ...] = ("agent", "analytics", "loader", "analytics_status", "loader_status", "spark")


def write_home(node: Node, drawn: SitePasswords) -> None:
    """Make the home of one node; what its services wrote stays."""
    for folder in ("IncortaNode/logs", *(["cmc/logs"] if node.has_cmc else [])):
        (node.home / folder).mkdir(parents=True, exist_ok=True)
    write(node.home / "IncortaNode/version.txt", f"{RELEASE}\n")
    write(node.home / "IncortaNode/node.json", json.dumps(node_settings(node, drawn), indent=2), mode=0o600)
    for path, text in render(script_facts(node)).items():
        write(node.home / path, text, mode=0o755 if path.endswith(".sh") else 0o644)
    for service in SERVICES:
        (node.home / "IncortaNode/services" / guid(node.home, service) / "logs").mkdir(parents=True, exist_ok=True)


def script_facts(node: Node) -> ScriptFacts:
    """Return what the scripts of a node are made from: this interpreter and this checkout run the simulator."""
    site = node.site
    return ScriptFacts(
        python=Path(sys.executable),
        checkout=Path(__file__).resolve().parent.parent,
        home=node.home,
        has_cmc=node.has_cmc,
        environment=markers(site.lab, site.name) | {"TZ": site.timezone},
    )


def node_settings(node: Node, drawn: SitePasswords) -> dict[str, Any]:
    """Return what a node knows of its own site."""
    site = node.site
    return {
        "site": site.name,
        "node": node.name,
        "release": RELEASE,
        "cluster": site.cluster,
        "tenant": GROUP,
        "storage": str(site.storage),
        "outbox": str(site.outbox),
        "zookeeper": site.zookeeper_hosts,
        "database": {
            "host": "127.0.0.1",
            "port": site.port("mysql"),
            "user": "incorta",
            "password": drawn.mysql_incorta,
            "schema": site.schema,
        },
        "ports": {kind: node.port(kind) for kind in _NODE_PORTS},
        "cmc": {"port": site.port("cmc"), "login": ADMINISTRATOR, "password": drawn.cmc_admin},
        "analytics": {"login": ADMINISTRATOR, "password": drawn.analytics_admin},
        "nodes": [
            {"node": other.name, "ports": {kind: other.port(kind) for kind in _NODE_PORTS}} for other in site.nodes
        ],
        "values": site_values(site),
    }
