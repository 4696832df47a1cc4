"""Writes what the provider is told about the lab: the topology, and the connections with their credentials."""

from __future__ import annotations

import json
from typing import Any

import yaml

from lab.files import write
from lab.layout import GROUP, PRIMARY, Lab, Node, Site, SiteKind
from lab.passwords import Passwords, SitePasswords
from lab.servers.sshd import Sshd

SERVICES = ("loaderService", "analyticsService")
"""In the order of their start."""
ADMINISTRATOR = "admin"
"""The login of the CMC and of Analytics."""

_NODE_PARTS: tuple[SiteKind, ...] = ("agent", "loader", "analytics", "spark")
"""What listens at a node, at ports other than Incorta's own defaults, because all nodes are one machine here."""

_REFERENCES = tuple(
    f"SELECT PATH AS path, SIZE AS size, SHA256 AS sha256 FROM {table}" for table in ("TABLE_FILE", "DATA_FILE")
)
_QUERIED = ("NYC_FLIGHTS.FLIGHTS", "NYC_PLACES.WEATHER")
"""Tables that a promoted site must answer about."""
_DRILL = ({"table": "SCHEDULED_JOB", "column": "STATUS", "to": "DISABLED"},)
_REWRITE = (
    {"table": "TENANT", "column": "PATH", "value": "tenants_path"},
    {"table": "SERVER_CONFIG", "column": "VALUE", "value": "cmc_url"},
    {"table": "SERVER_CONFIG", "column": "VALUE", "value": "smtp_host"},
)


def site_values(site: Site) -> dict[str, str]:
    """Return the values that differ between the sites and stand in Incorta's metadata."""
    return {
        "tenants_path": str(site.storage),
        "cmc_url": f"http://127.0.0.1:{site.port('cmc')}",
        "smtp_host": f"mail.{site.name}.example",
    }


def write_topology(lab: Lab) -> None:
    """Write ``incorta_dr.yaml``."""
    write(lab.topology_file, yaml.safe_dump(topology(lab), sort_keys=False, allow_unicode=True, width=120))


def topology(lab: Lab) -> dict[str, Any]:
    """Return the topology of the lab as a document."""
    group = {
        "primary": PRIMARY,
        "sites": {site.name: _site(site) for site in lab.sites},
        "replication": {"schedule": "* * * * *", "exclude": ["*/.tmp/*"]},
        "metadata": {
            "references": list(_REFERENCES),
            "rewrite": [dict(rule) for rule in _REWRITE],
            "drill": [dict(rule) for rule in _DRILL],
        },
        "objectives": {"rpo_seconds": 300, "rto_seconds": 900},
        "approval": {"conn_id": f"{GROUP}_approval", "timeout_seconds": 3600},
    }
    return {"groups": {GROUP: group}}


def _site(site: Site) -> dict[str, Any]:
    return {
        "storage": site.storage.as_uri(),
        "catalog": site.catalog.as_uri(),
        "metadata": {
            "conn_id": f"{site.name}_metadata",
            "fence_conn_id": f"{site.name}_metadata_fence",
            "schema": site.schema,
        },
        **_services(site),
        "drill": {"storage": site.drill.storage.as_uri(), "schema": site.drill.schema, **_services(site.drill)},
    }


def _services(site: Site) -> dict[str, Any]:
    """Return what a site and its place for drills have each."""
    return {
        "zookeeper": {"conn_id": f"{site.name}_zookeeper"},
        "nodes": [{"conn_id": node.conn_id, "services": list(SERVICES)} for node in site.nodes],
        "cmc": {"conn_id": f"{site.label}_cmc", "cluster": site.cluster, "node": site.node(1).conn_id},
        "analytics": {"conn_id": f"{site.label}_analytics", "tenant": GROUP, "tables": list(_QUERIED)},
        "values": site_values(site),
    }


def write_connections(lab: Lab, drawn: Passwords) -> None:
    """Write ``connections.json``, mode 0600, as ``airflow connections export`` would."""
    write(lab.connections_file, json.dumps(connections(lab, drawn), indent=2), mode=0o600)


def connections(lab: Lab, drawn: Passwords) -> dict[str, dict[str, Any]]:
    """Return every connection of the lab by its id."""
    found = {f"{GROUP}_approval": _connection("generic", password=drawn.approval_key)}
    for site in lab.sites:
        found |= _site_connections(site, drawn.sites[site.name])
    return found


def _site_connections(site: Site, drawn: SitePasswords) -> dict[str, dict[str, Any]]:
    database: dict[str, Any] = {"host": "127.0.0.1", "port": site.port("mysql"), "schema": site.schema}
    name = site.name
    return {
        f"{name}_metadata": _connection("mysql", **database, login="incorta", password=drawn.mysql_incorta),
        f"{name}_metadata_fence": _connection("mysql", **database, login="incorta_dr", password=drawn.mysql_dr),
        f"{name}_zookeeper": _connection("incorta_zookeeper", host=site.zookeeper_hosts),
        **_service_connections(site, drawn),
        **_service_connections(site.drill, drawn),
    }


def _service_connections(site: Site, drawn: SitePasswords) -> dict[str, dict[str, Any]]:
    console: dict[str, Any] = {"host": "127.0.0.1", "login": ADMINISTRATOR, "extra": {"scheme": "http"}}
    return {
        f"{site.label}_cmc": _connection("incorta_cmc", **console, port=site.port("cmc"), password=drawn.cmc_admin),
        f"{site.label}_analytics": _connection(
            "incorta_analytics", **console, port=site.port("analytics"), password=drawn.analytics_admin
        ),
        **{node.conn_id: _node_connection(node) for node in site.nodes},
    }


def _node_connection(node: Node) -> dict[str, Any]:
    sshd = Sshd(node)
    extra: dict[str, Any] = {
        "key_file": str(sshd.key_file),
        "known_hosts_file": str(sshd.known_hosts),
        "home": str(node.home),
        **{f"{part}_port": node.port(part) for part in _NODE_PARTS},
        "cmc_port": node.site.port("cmc"),
    }
    return _connection("incorta_node", host=sshd.host, port=sshd.port, login=sshd.user, extra=extra)


def _connection(conn_type: str, *, extra: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Return one connection; ``extra`` is JSON text, as Airflow keeps it."""
    empty = {"description": "", "host": "", "login": "", "password": "", "schema": "", "port": None}
    return {"conn_type": conn_type, **empty, **fields, "extra": json.dumps(extra or {})}
