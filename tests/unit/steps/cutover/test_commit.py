"""Giving up the metadata from before a cutover."""

from __future__ import annotations

from pathlib import Path

import pytest

from incorta_provider.dr.plan import StepName
from incorta_provider.exceptions import PreconditionError
from incorta_provider.steps.cutover import commit as commit_module
from incorta_provider.steps.cutover.commit import commit
from incorta_provider.steps.cutover.restore import REPLICA
from tests.builders.group import Bench, cutover_run, frozen_plan


@pytest.fixture
def given_up(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path]]:
    found: list[tuple[str, Path]] = []
    monkeypatch.setattr(commit_module, "commit_schema", lambda endpoint, folder: found.append((endpoint.site, folder)))
    return found


def test_a_promoted_site_gives_up_what_it_had_before(bench: Bench, given_up: list[tuple[str, Path]]) -> None:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    run.folder.record(StepName.PROMOTE, {"finished_at": bench.clock.now.isoformat()})
    commit(bench.access, run.run_id, by="dana")
    assert given_up == [("newyork", run.folder.schema_switch)]
    assert bench.last("cutover.committed") == {"schema": "incorta"}


def test_a_replica_that_was_taken_over_keeps_nothing_to_give_up(bench: Bench, given_up: list[tuple[str, Path]]) -> None:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    run.folder.record(StepName.RESTORE, {"way": REPLICA})
    run.folder.record(StepName.PROMOTE, {"finished_at": bench.clock.now.isoformat()})
    commit(bench.access, run.run_id, by="dana")
    assert given_up == []
    assert bench.last("cutover.committed") == {"schema": "incorta"}


def test_a_cutover_that_promoted_nothing_keeps_its_way_back(bench: Bench, given_up: list[tuple[str, Path]]) -> None:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    with pytest.raises(PreconditionError, match="cutover manual__1 did not promote newyork"):
        commit(bench.access, run.run_id, by="dana")
    with pytest.raises(PreconditionError, match="no catalog knows a cutover manual__9"):
        commit(bench.access, "manual__9", by="dana")
    assert given_up == []
