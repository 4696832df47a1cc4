from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from incorta_provider.steps.replication.run import ReplicationRun
from tests.builders.group import Bench, inventory

MakeRun = Callable[..., ReplicationRun]


@pytest.fixture
def make_run(bench: Bench) -> MakeRun:
    def make(run_id: str = "scheduled__1", **group_fields: Any) -> ReplicationRun:
        access = bench.changed(**group_fields)
        return ReplicationRun(
            access, access.site("berlin"), access.site("newyork"), run_id, "dag incorta_replication__acme__newyork"
        )

    return make


@pytest.fixture
def dumped() -> Callable[..., None]:
    """Return what writes the files of a dump, without a database."""

    def write(run: ReplicationRun, references: Sequence[dict[str, Any]] = (), **tables: int) -> None:
        workspace = run.workspace
        workspace.dump.write_bytes(b"a dump")
        lines = [json.dumps({"size": None, "sha256": None, **reference}) + "\n" for reference in references]
        workspace.references.write_text("".join(lines))
        workspace.inventory.write_text(inventory(**(tables or {"TENANT": 1})).model_dump_json())

    return write
