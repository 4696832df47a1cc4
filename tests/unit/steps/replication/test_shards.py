"""A large pre-copy that is left to tasks of their own, which share nothing but the catalog."""

from __future__ import annotations

from pathlib import Path
from socket import gethostname
from typing import Any

import pytest

from incorta_provider.dr.topology import Replication
from incorta_provider.exceptions import FencingError, PreconditionError, TransientError
from incorta_provider.steps.replication.copy import copy_shard, final_copy, pre_copy
from incorta_provider.steps.replication.open import open_run
from incorta_provider.steps.replication.run import ReplicationRun
from incorta_provider.storage.manifest.manifest_file import read_manifest
from tests.builders.group import Bench, replication_run, write_dump

SMALL = {"replication": Replication(shard_files=10)}


@pytest.fixture
def source(bench: Bench) -> Path:
    root = bench.storage("berlin")
    for number in range(35):
        (root / f"f{number:02d}").write_text("x" * 10)
    return root


def task(bench: Bench, **fields: Any) -> ReplicationRun:
    """Return the run as one more task of it sees it."""
    return replication_run(bench, **{**SMALL, **fields})


def test_each_task_copies_its_shard_and_says_so_in_the_ledger(bench: Bench, source: Path) -> None:
    open_run(task(bench))
    assert pre_copy(task(bench), split=True).shards == (0, 1, 2, 3)
    reports = [copy_shard(task(bench), number) for number in range(4)]
    assert sum(report.copied_files for report in reports) == 35
    notes = [line.details for line in task(bench).target.ledger.recent(20) if line.event == "shard.copied"]
    assert [(note["shard"], note["host"], note["copied_files"]) for note in notes] == [
        (number, gethostname(), reports[number].copied_files) for number in range(4)
    ]
    write_dump(task(bench))
    final = final_copy(task(bench))
    assert (final.copied_files, final.reused) == (0, 35)
    manifest = read_manifest(task(bench).workspace.manifest)
    assert [entry.path.decode() for entry in manifest] == [f"f{number:02d}" for number in range(35)]


def test_without_others_who_copy_shards_nothing_is_split(bench: Bench, source: Path) -> None:
    open_run(task(bench))
    report = pre_copy(task(bench))
    assert (report.shards, report.reused) == ((), 35), "the second pass found all of it"


def test_a_shard_is_refused_when_the_roles_changed_since_the_run_opened(bench: Bench, source: Path) -> None:
    open_run(task(bench))
    pre_copy(task(bench), split=True)
    for site in ("berlin", "newyork"):
        role = bench.ensembles.role(site)
        bench.ensembles.set_role(site, role.model_copy(update={"epoch": role.epoch + 1, "active": "newyork"}))
    with pytest.raises(FencingError):
        copy_shard(task(bench), 0)
    assert list(task(bench).workspace.files.iterdir()) == []


def test_a_shard_of_a_run_that_never_opened_or_that_nobody_waits_for_is_refused(bench: Bench, source: Path) -> None:
    with pytest.raises(PreconditionError, match="is not open"):
        copy_shard(task(bench), 0)
    open_run(task(bench))
    with pytest.raises(PreconditionError, match="nobody waits for shard 0"):
        copy_shard(task(bench), 0)


def test_while_a_pass_is_under_way_a_shard_waits_for_airflow_to_try_again(bench: Bench, source: Path) -> None:
    open_run(task(bench))
    pre_copy(task(bench), split=True)
    with task(bench).workspace.lock(), pytest.raises(TransientError, match="the workspace is busy"):
        copy_shard(task(bench), 0)
