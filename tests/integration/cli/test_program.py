"""``incorta-dr`` as a person runs it: a program of its own, at a terminal or in a pipe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from incorta_provider.dr.topology import Topology
from incorta_provider.steps.access import utc_now
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.records.ledger_file import LedgerFile
from tests.builders.group import NOON, PASSWORD, sealed_point, topology_document, write_topology

PROGRAM = str(Path(sys.executable).with_name("incorta-dr"))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return the folder of a group whose servers are all down: nothing listens at any of its addresses."""
    for name in ("berlin", "newyork"):
        (tmp_path / name).mkdir()
        Catalog(tmp_path / name / "catalog").initialise("acme", name)
    write_topology(tmp_path)
    group = Topology.model_validate(topology_document(tmp_path)).groups["acme"]
    fields = {"host": "127.0.0.1", "port": 1, "login": "incorta", "password": PASSWORD}
    document = {conn_id: {**fields, "host": "127.0.0.1:1"} for one in group.sites.values() for conn_id in one.conn_ids}
    (tmp_path / "connections.json").write_text(json.dumps(document))
    (tmp_path / "connections.json").chmod(0o600)
    return tmp_path


def run(site: Path, *argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {
        "AIRFLOW__INCORTA_DR__TOPOLOGY": str(site / "incorta_dr.yaml"),
        "INCORTA_DR_CONNECTIONS": str(site / "connections.json"),
        **environment,
    }
    done = subprocess.run(
        [PROGRAM, *argv], env={**os.environ, **known}, capture_output=True, text=True, timeout=60, check=False
    )
    assert PASSWORD not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_the_program_is_installed_and_needs_no_airflow(site: Path) -> None:
    done = run(site, "topology", "check", AIRFLOW_HOME="/nonexistent/never/made")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(
        "group acme: primary berlin, DR newyork\n  warning: no metadata.fence_conn_id of berlin"
    )


def test_when_everything_is_down_the_catalog_still_answers_and_no_session_is_waited_for(site: Path) -> None:
    """The ensembles are asked for their quorum first: to open the four sessions would take ten seconds each."""
    point = sealed_point(Catalog(site / "newyork" / "catalog"), opened_at=utc_now() - timedelta(seconds=30))
    done = run(site, "status")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"      {point.id}: 0 files, 2 tables, 3 rows, epoch 1\n" in done.stdout
    assert done.stdout.count("role: unknown: no quorum") == 2
    assert done.stdout.count("lock: unknown: no quorum") == 2


HEAVY = ("airflow", "boto3", "fsspec", "httpx", "jinja2", "numpy", "pandas", "paramiko", "pyarrow", "sqlalchemy")
"""What takes longer to import than these commands may take."""

SERVERS = ("kazoo", "pymysql")
"""What asks the servers of a site; no file needs it."""

LOADED = """
import sys
from incorta_provider.cli import main
status = main(sys.argv[2:])
print("loaded:", *(name for name in sys.argv[1].split(",") if name in sys.modules), file=sys.stderr)
sys.exit(status)
"""


@pytest.mark.parametrize(
    ("command", "unneeded"), [(["topology", "check"], HEAVY + SERVERS), (["status"], HEAVY)], ids=["topology", "status"]
)
def test_what_is_asked_first_on_the_worst_day_imports_nothing_heavy(
    site: Path, command: list[str], unneeded: tuple[str, ...]
) -> None:
    sealed_point(Catalog(site / "newyork" / "catalog"), opened_at=utc_now() - timedelta(seconds=30))
    files = ["--topology", str(site / "incorta_dr.yaml"), "--connections", str(site / "connections.json")]
    done = subprocess.run(
        [sys.executable, "-c", LOADED, ",".join(unneeded), *files, *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "loaded:\n")
    assert "berlin" in done.stdout


def test_exit_statuses_are_told_apart(site: Path) -> None:
    ledger = LedgerFile(site / "newyork" / "catalog" / "ledger.jsonl")
    ledger.append("one", at=NOON, key="1", group="acme", run_id="r", actor="dana", details={})
    assert run(site, "ledger", "verify").returncode == 0
    ledger.path.write_text(ledger.path.read_text().replace("dana", "mallory"))
    damaged = run(site, "ledger", "verify")
    assert damaged.returncode == 1
    assert "line 1: changed after it was written" in damaged.stdout
    assert run(site, "ledger", "verfy").returncode == 2
    assert run(site, "status", "--group", "acne").returncode == 1


def test_a_reader_that_goes_away_is_no_accident(site: Path) -> None:
    """As in ``incorta-dr ledger verify | head -1``; here the reader is gone before the first line."""
    reading, writing = os.pipe()
    os.close(reading)
    environment = {**os.environ, "AIRFLOW__INCORTA_DR__TOPOLOGY": str(site / "incorta_dr.yaml")}
    try:
        done = subprocess.run(
            [PROGRAM, "ledger", "verify"],
            env=environment,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "utf-8"])
def test_any_console_can_show_the_ledger(site: Path, encoding: str) -> None:
    ledger = LedgerFile(site / "newyork" / "catalog" / "ledger.jsonl")
    ledger.append("one", at=NOON, key="1", group="acme", run_id="r", actor="Zoë 表", details={})
    (site / "connections.json").write_text("{}")
    done = subprocess.run(
        [PROGRAM, "--topology", str(site / "incorta_dr.yaml"), "status"],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    shown = "Zoë 表".encode(encoding, errors="backslashreplace")
    assert b"one by " + shown + b" (r)" in done.stdout
