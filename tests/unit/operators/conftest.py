"""Airflow's home is set before anything imports Airflow, which would otherwise make one in the account's home."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest

from tests.builders.group import PASSWORD, SIGNING_KEY, Bench, make_bench, topology_document, write_topology

_HOME = tempfile.TemporaryDirectory(prefix="airflow-home-")
os.environ.setdefault("AIRFLOW_HOME", _HOME.name)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Return a group as a task finds it: by the topology file that Airflow's configuration names."""
    bench = make_bench(tmp_path, monkeypatch)
    monkeypatch.setenv("AIRFLOW__INCORTA_DR__TOPOLOGY", str(write_topology(tmp_path)))
    for conn_id in connection_ids(tmp_path):
        password = SIGNING_KEY if conn_id == "acme_approval" else PASSWORD
        fields = {"conn_type": "generic", "host": "127.0.0.1", "port": 1, "login": "incorta", "password": password}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))
    return bench


def connection_ids(root: Path) -> list[str]:
    text = json.dumps(topology_document(root))
    return sorted({word for word in text.split('"') if word.startswith(("berlin_", "newyork_", "acme_"))})
