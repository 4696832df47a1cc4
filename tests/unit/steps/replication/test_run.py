from __future__ import annotations

import logging
import shutil

import pytest

from incorta_provider.exceptions import (
    FencingError,
    IntegrityError,
    NothingToDo,
    PreconditionError,
    TransientError,
)
from incorta_provider.steps.replication.run import CheckReport, RunRecord
from tests.builders.group import ACTOR, NOON, Bench, replication_run, sealed_point, write_dump

RECORD = RunRecord(
    run_id="scheduled__1",
    point_id="20261125T120000Z-55d41569",
    opened_at=NOON,
    source="berlin",
    epoch=1,
    previous=None,
    incorta_version="2024.1.0",
)
CHECKED = CheckReport(
    staged_files=2,
    staged_bytes=9,
    references=None,
    exceptions=("a: was left out",),
    manifest_sha256="0" * 64,
    inventory_sha256="1" * 64,
)


def test_a_run_that_was_never_opened_says_what_to_do(bench: Bench) -> None:
    run = replication_run(bench)
    assert run.recorded() is None
    with pytest.raises(PreconditionError, match="run scheduled__1 is not open") as caught:
        run.record()
    assert "from its first task on" in caught.value.fix


def test_the_record_comes_back_in_another_process_as_it_was_written(bench: Bench) -> None:
    replication_run(bench).save(RECORD)
    again = replication_run(bench)
    assert again.record() == again.recorded() == RECORD


def test_runs_keep_their_records_apart(bench: Bench) -> None:
    replication_run(bench).save(RECORD)
    assert replication_run(bench, "scheduled__2").recorded() is None


def test_a_run_counts_as_checked_only_after_the_check(bench: Bench) -> None:
    run = replication_run(bench)
    with pytest.raises(PreconditionError, match="the check has not been passed"):
        run.checked()
    run.save_check(CHECKED)
    assert replication_run(bench).checked() == CHECKED


def test_a_run_counts_as_dumped_once_the_last_file_of_a_dump_is_there(bench: Bench) -> None:
    run = replication_run(bench)
    run.workspace.dump.write_bytes(b"a dump that a kill cut short")
    with pytest.raises(PreconditionError, match="the metadata have not been dumped"):
        run.ensure_dumped()
    run.workspace.inventory.write_text("{}")
    run.ensure_dumped()


def test_what_was_checked_and_proven_can_be_withdrawn_any_number_of_times(bench: Bench) -> None:
    run = replication_run(bench)
    write_dump(run)
    run.save_check(CHECKED)
    run.save_proof(proven=True)
    run.proven()
    for _ in range(2):
        run.workspace.withdraw()
        with pytest.raises(PreconditionError, match="the check has not been passed"):
            run.checked()
        with pytest.raises(PreconditionError, match="the dump has not been proven"):
            run.proven()


def test_what_vanished_is_remembered(bench: Bench) -> None:
    assert replication_run(bench).vanished() == ()
    replication_run(bench).save_vanished(["a: vanished before it was copied"])
    assert replication_run(bench).vanished() == ("a: vanished before it was copied",)


def test_the_manifest_to_compare_with_is_the_point_s_that_the_run_opened_behind(bench: Bench) -> None:
    run = replication_run(bench, "scheduled__2")
    first = sealed_point(bench.catalog, "scheduled__1")
    run.save(RECORD.model_copy(update={"run_id": "scheduled__2"}))
    assert run.base_manifest() is None
    run.save(RECORD.model_copy(update={"run_id": "scheduled__2", "previous": first.id}))
    assert run.base_manifest() == bench.catalog.manifest_path(first.id)


def test_only_the_own_point_counts_as_sealed(bench: Bench) -> None:
    assert replication_run(bench).sealed() is None
    point = sealed_point(bench.catalog, "scheduled__1")
    sealed_point(bench.catalog, "scheduled__2", opened_at=NOON)
    assert replication_run(bench, "scheduled__1").sealed() == point
    assert replication_run(bench, "scheduled__3").sealed() is None


def test_an_error_makes_the_run_void_once_in_the_ledger(bench: Bench) -> None:
    for reason in ("first", "second"):
        with pytest.raises(IntegrityError, match=reason), replication_run(bench).step("check"):
            raise IntegrityError(reason, where="there", fix="Do that.")
    (line,) = bench.access.site("newyork").ledger.entries()
    assert (line.event, line.group, line.run_id, line.at) == ("point.void", "acme", "scheduled__1", NOON)
    assert line.actor == ACTOR
    assert line.details == {"step": "check", "error": "IntegrityError", "reason": "first [there]. Next: Do that."}


def test_each_step_and_each_run_has_its_own_line(bench: Bench) -> None:
    for run_id, step in (("r1", "check"), ("r1", "prove"), ("r2", "check")):
        with pytest.raises(FencingError), replication_run(bench, run_id).step(step):
            raise FencingError("no")
    lines = list(bench.access.site("newyork").ledger.entries())
    assert [(line.run_id, line.details["step"]) for line in lines] == [
        ("r1", "check"),
        ("r1", "prove"),
        ("r2", "check"),
    ]


@pytest.mark.parametrize("error", [TransientError("busy"), NothingToDo("no work"), ValueError("a bug")])
def test_what_may_pass_what_is_no_error_and_what_is_a_bug_make_no_run_void(bench: Bench, error: Exception) -> None:
    with pytest.raises(type(error)), replication_run(bench).step("check"):
        raise error
    assert bench.events() == []


def test_a_step_that_went_well_leaves_the_ledger_alone(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with replication_run(bench).step("check"):
        pass
    assert bench.events() == []
    assert caplog.messages[-1].startswith("check took 0.0")


def test_what_fails_behind_the_seal_makes_no_point_void(bench: Bench) -> None:
    sealed_point(bench.catalog, "scheduled__1")
    with pytest.raises(PreconditionError), replication_run(bench).step("apply"):
        raise PreconditionError("the live replica is empty")
    assert bench.events() == ["point.step.failed"]
    assert bench.last("point.step.failed")["step"] == "apply"


def test_a_catalog_that_cannot_be_written_does_not_hide_what_failed(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """A file in its place stands for a mount that is gone or read-only."""
    shutil.rmtree(bench.catalog.root)
    bench.catalog.root.write_text("no folder")
    with pytest.raises(FencingError, match="the true reason"), replication_run(bench).step("open"):
        raise FencingError("the true reason")
    assert "the ledger could not be told" in caplog.text


def test_a_damaged_ledger_does_not_hide_what_failed(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    (bench.catalog.root / "ledger.jsonl").write_text("no entry\n")
    with pytest.raises(FencingError, match="the true reason"), replication_run(bench).step("open"):
        raise FencingError("the true reason")
    assert "the last line of the ledger is damaged" in caplog.text
    assert '"event": "point.void"' in (bench.catalog.root / "ledger.jsonl").read_text()
