"""Trouble with the ledger or the disk never leaves a fenced group without a service."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from incorta_provider.dr.plan import StepName
from incorta_provider.exceptions import PreconditionError
from incorta_provider.storage.records.ledger_file import LedgerFile
from tests.builders.group import Bench, cutover_run, done_before, frozen_plan

FULL = OSError(errno.ENOSPC, "No space left on device", "ledger.jsonl")


def test_a_full_disk_delays_the_line_and_not_the_step(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise FULL

    run = cutover_run(bench)
    frozen_plan(bench, run)
    done_before(bench, run, StepName.APPLY)
    with monkeypatch.context() as patched:
        patched.setattr(LedgerFile, "append", refuse)
        assert run.perform(StepName.APPLY, lambda _: {"moved": 3})["moved"] == 3
    assert "the ledger could not be told of cutover.step.done" in caplog.text
    assert bench.events() == []
    bench.clock.go_on(5)
    run.perform(StepName.RESTORE, lambda _: {})
    done = [entry for entry in bench.access.site("newyork").ledger.entries() if entry.event == "cutover.step.done"]
    told = [entry.details["step"] for entry in done]
    assert told[-2:] == [StepName.APPLY, StepName.RESTORE]
    assert done[-2].details["moved"] == 3
    assert len(set(told)) == len(told)


def test_a_stray_line_in_the_ledger_holds_up_no_step(bench: Bench) -> None:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    done_before(bench, run, StepName.APPLY)
    ledger = bench.access.site("newyork").ledger
    ledger.path.write_text("stray\n")
    assert run.perform(StepName.APPLY, lambda _: {"moved": 3})["moved"] == 3
    assert ledger.faults() == ["line 1: no ledger entry"]
    assert '"event": "ledger.damaged"' in ledger.path.read_text().splitlines()[1]


def test_what_the_disk_refuses_within_a_step_is_told_as_one_of_our_errors(bench: Bench) -> None:
    def action(_: object) -> dict[str, Any]:
        raise FULL

    run = cutover_run(bench)
    frozen_plan(bench, run)
    done_before(bench, run, StepName.APPLY)
    with pytest.raises(PreconditionError, match="No space left on device"):
        run.perform(StepName.APPLY, action)
    assert bench.last("cutover.step.failed")["error"] == "PreconditionError"
    assert run.folder.result(StepName.APPLY) is None
