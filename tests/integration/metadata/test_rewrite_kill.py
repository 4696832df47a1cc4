"""``kill -9`` of a rewrite between its record and its COMMIT: nothing is rewritten, and it can be done again."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.rewriting import Rewriting
from incorta_provider.metadata.rewrite import Replace, rewrite
from incorta_provider.metadata.undo import undo
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.records.rewritings import Rewritings

pytestmark = pytest.mark.lab

OLD, NEW = "/data/berlin/Tenants", "/data/newyork/Tenants"
RULES = [Replace("tenant", "path", OLD, NEW), Replace("tenant", "note", OLD, NEW)]
PROGRAM = """
import json, os, signal, sys
from pathlib import Path
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.rewrite import Replace, rewrite
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.records.rewritings import Rewritings

fields, rules, root = json.loads(sys.stdin.read())

def keep(done):
    Rewritings(Catalog(Path(root))).keep(done)
    os.kill(os.getpid(), signal.SIGKILL)

rewrite(Endpoint(**fields), [Replace(*rule) for rule in rules], keep=keep)
"""


def values(place: Any) -> Any:
    return place.run("SELECT name, path, note FROM tenant ORDER BY name")


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    root = tmp_path / "catalog"
    root.mkdir()
    made = Catalog(root)
    made.initialise("acme", "berlin")
    return made


@pytest.fixture
def killed(tenants: Any, catalog: Catalog) -> Rewriting:
    """Kill a rewrite behind its record, and return that."""
    order = [dataclasses.asdict(tenants.endpoint), [dataclasses.astuple(rule) for rule in RULES], str(catalog.root)]
    ended = subprocess.run([sys.executable, "-c", PROGRAM], input=json.dumps(order), text=True, check=False)
    assert ended.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 60
    while tenants.run("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'dr_reader'") != ((0,),):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (record,) = (catalog.root / "rewrites").glob("*.json")
    return Rewritings(catalog).get(record.stem)


def test_nothing_was_rewritten_and_there_is_nothing_to_undo(tenants: Any, killed: Rewriting) -> None:
    before = values(tenants)
    assert OLD in str(before)
    assert NEW not in str(before)
    assert undo(tenants.endpoint, killed) == 0
    assert values(tenants) == before


def test_the_same_again_does_it_under_the_same_record_and_can_be_undone(
    tenants: Any, killed: Rewriting, catalog: Catalog
) -> None:
    before = values(tenants)
    done = rewrite(tenants.endpoint, RULES, keep=Rewritings(catalog).keep, seen=killed.sha256)
    assert done.sha256 == killed.sha256
    assert len(list((catalog.root / "rewrites").glob("*.json"))) == 1
    assert OLD not in str(values(tenants))
    assert undo(tenants.endpoint, killed) == len(killed.changes) == 3
    assert values(tenants) == before
