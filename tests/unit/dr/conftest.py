"""A small topology to start from: the text, so that line numbers are known, and what it parses to."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

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
