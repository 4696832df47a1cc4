"""Airflow's home is set before anything imports Airflow, which would otherwise make one in the account's home."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from tests.builders.group import Bench, airflow_knows, make_bench

_HOME = tempfile.TemporaryDirectory(prefix="airflow-home-")
os.environ.setdefault("AIRFLOW_HOME", _HOME.name)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Return a group as a task finds it: by what Airflow is configured with."""
    airflow_knows(tmp_path, monkeypatch)
    return make_bench(tmp_path, monkeypatch)
