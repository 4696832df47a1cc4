"""What tests of the rules start from: a small topology, as text with known lines and parsed, and a recovery point."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.dr.topology import Group, Topology

TEXT = """\
# two sites, one group
groups:
  acme:
    primary: berlin
    sites:
      berlin:
        storage: file:///mnt/berlin/Tenants
        catalog: file:///mnt/berlin/catalog
        metadata:
          conn_id: berlin_metadata
          schema: incorta
        zookeeper:
          conn_id: berlin_zookeeper
        nodes:
          - conn_id: berlin_node1
            services: [loaderService, analyticsService]
          - conn_id: berlin_node2
            services: [loaderService]
        cmc:
          conn_id: berlin_cmc
          cluster: acme
          node: berlin_node1
        analytics:
          conn_id: berlin_analytics
          tenant: acme
        values:
          tenants_path: /mnt/berlin/Tenants
          smtp_host: mail.berlin.example
      newyork:
        storage: file:///mnt/newyork/Tenants
        catalog: file:///mnt/newyork/catalog
        metadata:
          conn_id: newyork_metadata
          schema: incorta
        zookeeper:
          conn_id: newyork_zookeeper
        nodes:
          - conn_id: newyork_node1
            services: [loaderService, analyticsService]
          - conn_id: newyork_node2
            services: [loaderService]
        cmc:
          conn_id: newyork_cmc
          cluster: acme
          node: newyork_node1
        analytics:
          conn_id: newyork_analytics
          tenant: acme
        values:
          tenants_path: /mnt/newyork/Tenants
          smtp_host: mail.newyork.example
    replication:
      schedule: "*/5 * * * *"
      exclude: ["*/.tmp/*"]
    metadata:
      references: ["SELECT PATH AS path FROM TABLE_FILE"]
      rewrite:
        - table: TENANT
          column: PATH
          value: tenants_path
    objectives:
      rpo_seconds: 300
      rto_seconds: 900
    approval:
      conn_id: acme_approval
      timeout_seconds: 3600
"""


@pytest.fixture(scope="session")
def topology_text() -> str:
    """Return the text of a right topology."""
    return TEXT


@pytest.fixture(scope="session")
def document() -> Callable[[], dict[str, Any]]:
    """Return a function that gives a fresh copy of the right topology as a document, to be spoiled by a test."""
    loaded = yaml.safe_load(TEXT)
    return lambda: copy.deepcopy(loaded)


@pytest.fixture(scope="session")
def group() -> Group:
    """Return the group of the right topology."""
    return Topology.model_validate(yaml.safe_load(TEXT)).groups["acme"]


@pytest.fixture(scope="session")
def point() -> Callable[..., RecoveryPoint]:
    """Return a function that makes a sealed recovery point, with the fields that a test changes."""
    fields: dict[str, Any] = {
        "id": "20261125T025500Z-55d41569",
        "group": "acme",
        "source": "berlin",
        "target": "newyork",
        "epoch": 1,
        "run_id": "scheduled__1",
        "opened_at": datetime(2026, 11, 25, 2, 55, tzinfo=UTC),
        "sealed_at": datetime(2026, 11, 25, 2, 55, 12, 345678, tzinfo=UTC),
        "previous": None,
        "files": 120,
        "bytes": 4096,
        "copied_files": 7,
        "copied_bytes": 512,
        "tables": 9,
        "rows": 300,
        "references": 110,
        "manifest_sha256": "aa" * 32,
        "dump_sha256": "bb" * 32,
        "inventory_sha256": "cc" * 32,
        "position": "mariadb-bin.000001:4",
        "server_version": "11.8.2-MariaDB",
        "incorta_version": "2024.1.0",
    }
    return lambda **changed: RecoveryPoint(**(fields | changed))
