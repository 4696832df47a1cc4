"""Our side of the metadata contests: the calls that the steps ``dump`` and ``prove`` make."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from incorta_provider.metadata import comparison as comparison_module
from incorta_provider.metadata import dump as dump_module
from incorta_provider.metadata import prove as prove_module
from incorta_provider.metadata.archive import Archive
from incorta_provider.metadata.dump import DUMP_FILE, INVENTORY_FILE, dump
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.metadata.prove import prove
from tests.benchmarks.phases import Phases, Split

DUMP_SPLITS: tuple[Split, ...] = (
    (dump_module, "read_definitions", "definitions, before and after"),
    (dump_module, "share_snapshot", "one snapshot for all sessions"),
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
