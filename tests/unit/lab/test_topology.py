"""What the lab writes about itself is what the provider reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from incorta_provider.connection import connections_from_file
from incorta_provider.dr.topology import Topology
from lab.incorta.settings import load_settings
from lab.incorta_home import write_home
from lab.layout import Lab
from lab.passwords import passwords
from lab.topology import connections, topology, write_connections, write_topology


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path, 10000)


def test_the_topology_is_valid_and_complete(lab: Lab) -> None:
    group = Topology.model_validate(topology(lab)).groups["acme"]
    assert (group.primary, group.dr_sites, group.warnings()) == ("berlin", ["newyork"], [])
    assert group.sites["berlin"].storage == f"file://{lab.root}/berlin/storage/Tenants"
    assert group.sites["newyork"].values["cmc_url"] == "http://127.0.0.1:10102"


def test_every_connection_of_the_topology_exists(lab: Lab) -> None:
    known = connections(lab, passwords(lab)).keys()
    group = Topology.model_validate(topology(lab)).groups["acme"]
    named = {group.approval.conn_id}
    for site in group.sites.values():
        named |= {site.metadata.conn_id, site.zookeeper.conn_id, site.cmc.conn_id, site.analytics.conn_id}
        named |= {node.conn_id for node in site.nodes}
    assert named <= known


def test_the_connections_are_read_back_as_they_were_meant(lab: Lab) -> None:
    drawn = passwords(lab)
    write_connections(lab, drawn)
    find = connections_from_file(lab.connections_file)
    database = find("newyork_metadata")
    assert (database.host, database.port, database.login) == ("127.0.0.1", 10101, "incorta")
    assert database.password == drawn.sites["newyork"].mysql_incorta
    node = find("berlin_node2")
    assert node.extra["home"] == str(lab.root / "berlin/node2/incorta")
    assert node.extra["known_hosts_file"] == str(lab.known_hosts)
    ports = {name: node.extra[f"{name}_port"] for name in ("agent", "loader", "analytics", "cmc")}
    assert ports == {"agent": 10052, "loader": 10072, "analytics": 10062, "cmc": 10002}
    assert find("berlin_zookeeper").host == "127.0.0.1:10011,127.0.0.1:10012,127.0.0.1:10013"
    assert find("acme_approval").password == drawn.approval_key
    assert len(bytes.fromhex(drawn.approval_key)) == 32


def test_files_with_secrets_are_for_their_owner_only_and_passwords_are_drawn_once(lab: Lab) -> None:
    drawn = passwords(lab)
    write_connections(lab, drawn)
    write_home(lab.site("berlin").node(1), drawn.sites["berlin"])
    write_topology(lab)
    secret = [lab.passwords_file, lab.connections_file, *lab.root.rglob("node.json")]
    assert [path.stat().st_mode & 0o777 for path in secret] == [0o600] * 3
    assert passwords(lab) == drawn
    shown = repr(drawn) + lab.topology_file.read_text()
    every = [drawn.approval_key, *json.loads(lab.passwords_file.read_text())["sites"]["berlin"].values()]
    assert len(set(every)) == 6
    assert not [secret for secret in every if secret in shown]


def test_the_home_has_the_documented_scripts_and_the_sites_own_settings(lab: Lab) -> None:
    drawn = passwords(lab)
    for site in lab.sites:
        for node in site.nodes:
            write_home(node, drawn.sites[site.name])
    first, second = lab.site("newyork").nodes
    scripts = ["startNode.sh", "stopNode.sh", "startService.sh", "stopService.sh"]
    for node in (first, second):
        modes = {(node.home / "IncortaNode" / script).stat().st_mode & 0o777 for script in scripts}
        assert modes == {0o755}
    assert (first.home / "cmc/start-cmc.sh").exists()
    assert not (second.home / "cmc").exists()
    settings = load_settings(second.home)
    assert (settings.site, settings.node, settings.database.port) == ("newyork", "node2", 10101)
    assert settings.storage == lab.site("newyork").storage
    assert settings.ports["loader"] == second.port("loader")
    start = (second.home / "IncortaNode/startNode.sh").read_text()
    assert "export TZ=America/New_York" in start
    assert f"export INCORTA_LAB_SITE={lab.root}/newyork" in start
