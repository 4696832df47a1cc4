"""The final sync's point is the one that is promoted, and one that lacks anything is none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from incorta_provider.dr.plan import Mode, StepName
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.exceptions import PreconditionError, TransientError
from incorta_provider.steps.cutover import final_sync as module
from incorta_provider.steps.cutover.final_sync import final_sync
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.replication.run import ReplicationRun
from incorta_provider.storage.vault.in_use import points_in_use
from tests.builders.group import NOON, Bench, cutover_run, done_before, frozen_plan, sealed_point


@pytest.fixture
def run(bench: Bench) -> CutoverRun:
    """Return a planned cutover whose source is quiesced and active still."""
    run = cutover_run(bench)
    frozen_plan(bench, run, Mode.PLANNED)
    done_before(bench, run, StepName.FINAL_SYNC)
    bench.ensembles.initialise()
    return run


def syncing(bench: Bench, monkeypatch: pytest.MonkeyPatch, **point: object) -> list[ReplicationRun]:
    """Let the protocol seal a point at once; return the runs that it was given."""
    runs: list[ReplicationRun] = []

    def make(run: ReplicationRun, *, dumped: Callable[[], None]) -> RecoveryPoint:
        runs.append(run)
        return sealed_point(bench.catalog, run.run_id, opened_at=NOON, **point)

    monkeypatch.setattr(module, "make_point", make)
    return runs


def test_the_point_of_the_final_sync_takes_the_place_of_the_planned_one(
    bench: Bench, run: CutoverRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = syncing(bench, monkeypatch)
    before = run.folder.point_id()
    result = final_sync(run)
    (sync,) = runs
    assert (sync.target.name, sync.run_id, sync.actor) == ("newyork", "manual__1", "hana")
    assert before == run.folder.plan().recovery_point != result["recovery_point"]
    assert run.folder.point_id() == run.point().id == result["recovery_point"]
    in_use = points_in_use(bench.catalog, bench.clock.now)
    assert in_use == {before: "cutover manual__1 is open", result["recovery_point"]: "cutover manual__1 is open"}


def test_killed_behind_its_seal_it_makes_no_second_point(
    bench: Bench, run: CutoverRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = syncing(bench, monkeypatch)
    point = sealed_point(bench.catalog, "manual__1", opened_at=NOON)
    assert final_sync(run)["recovery_point"] == point.id
    assert runs == []


def test_a_point_that_lacks_a_file_is_not_promoted(
    bench: Bench, run: CutoverRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncing(bench, monkeypatch, exceptions=("a.parquet: is still being written",))
    with pytest.raises(PreconditionError, match=r"does not hold everything:\n  a\.parquet: is still being written"):
        final_sync(run)
    assert StepName.FINAL_SYNC not in run.folder.done()


def test_a_lock_that_another_holds_is_waited_for(run: CutoverRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(_: ReplicationRun, *, dumped: Callable[[], None]) -> RecoveryPoint:
        raise TransientError("the lock is held")

    monkeypatch.setattr(module, "make_point", busy)
    with pytest.raises(TransientError, match="the lock is held"):
        final_sync(run)
