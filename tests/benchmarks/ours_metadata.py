"""Our side of the metadata contests: the calls that the steps ``dump``, ``prove`` and ``restore_metadata`` make."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from incorta_provider.metadata import attempts as attempts_module
from incorta_provider.metadata import comparison as comparison_module
from incorta_provider.metadata import dump as dump_module
from incorta_provider.metadata import prove as prove_module
from incorta_provider.metadata import restore as restore_module
from incorta_provider.metadata.archive import Archive
from incorta_provider.metadata.dump import DUMP_FILE, INVENTORY_FILE, dump
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.engines.mariadb import MariaDb
from incorta_provider.metadata.prove import prove, read_inventory
from incorta_provider.metadata.restore import replace_schema
from incorta_provider.metadata.switch_journal import read_switch
from tests.benchmarks.phases import Phases, Split

DUMP_SPLITS: tuple[Split, ...] = (
    (attempts_module, "read_definitions", "definitions, before and after"),
    (MariaDb, "share_snapshot", "one snapshot for all sessions"),
    (dump_module, "measure", "counts and checksums, beside the dump"),
    (Archive, "write", "compress and write"),
    (Archive, "close", "flush to disk"),
)
PROVE_SPLITS: tuple[Split, ...] = (
    (prove_module, "recreate", "make the scratch schema"),
    (prove_module, "load", "load"),
    (prove_module, "take_inventory", "compare definitions"),
    (comparison_module, "measure", "counts and checksums"),
    (prove_module, "drop", "drop the scratch schema"),
)
WINDOW = "the live schema is not whole, beside"
"""A part of the switch."""
SWITCH_SPLITS: tuple[Split, ...] = (
    (restore_module, "load", "load beside"),
    (restore_module, "differences", "compare definitions"),
    (comparison_module, "measure", "counts and checksums"),
    (restore_module, "make_live", "switch"),
    (restore_module, "_definition_differences", "compare definitions behind the window"),
)


def dump_once(endpoint: Endpoint, folder: Path) -> Mapping[str, float]:
    """Dump with inventory, counts and checksums; no references, for the topology decides about those."""
    phases = Phases()
    with phases.splitting(DUMP_SPLITS), phases.phase("wait for the dump client"):
        dump(endpoint, folder)
    return dict(phases.seconds)


def prove_once(endpoint: Endpoint, folder: Path) -> Mapping[str, float]:
    """Restore what :func:`dump_once` left into a scratch schema, compare it in full, and drop it."""
    phases = Phases()
    with phases.splitting(PROVE_SPLITS), phases.phase("rights, inventory and the rest"):
        found = prove(endpoint, folder / DUMP_FILE, folder / INVENTORY_FILE, scratch_key="bench")
    assert not found, found[:5]
    return dict(phases.seconds)


def dump_and_prove_once(endpoint: Endpoint, copy: Endpoint, folder: Path) -> Mapping[str, float]:
    """Dump one database and prove the dump at another server."""
    dumped = dump_once(endpoint, folder)
    proven = prove_once(copy, folder)
    return {**dumped, **{f"proof: {name}": seconds for name, seconds in proven.items()}}


def switch_once(endpoint: Endpoint, folder: Path, record: Path) -> Mapping[str, float]:
    """Restore what :func:`dump_once` left in place of the live schema."""
    phases = Phases()
    inventory = read_inventory(folder / INVENTORY_FILE)
    sha256 = hashlib.sha256((folder / DUMP_FILE).read_bytes()).hexdigest()
    with phases.splitting(SWITCH_SPLITS), phases.phase("rights, digests and the rest"):
        found = replace_schema(endpoint, folder / DUMP_FILE, inventory, record, sha256=sha256)
    assert not found, found[:5]
    switch = read_switch(record)
    assert switch is not None
    assert switch.window_seconds is not None
    return {**phases.seconds, WINDOW: switch.window_seconds}
