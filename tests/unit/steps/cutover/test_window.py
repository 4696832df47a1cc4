from __future__ import annotations

from typing import Literal

import pytest

from incorta_provider.dr.epoch import RoleState
from incorta_provider.dr.plan import StepName
from incorta_provider.dr.topology import CommitWindow
from incorta_provider.exceptions import FencingError, NothingToDo, PreconditionError, TransientError
from incorta_provider.steps.cutover import abort as abort_module
from incorta_provider.steps.cutover.promote import promote
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.cutover.window import (
    COMMIT,
    NOBODY,
    ROLL_BACK,
    decide,
    decided_to_roll_back,
    on_silence,
    question,
)
from tests.builders.group import Bench, cutover_run, done_before, frozen_plan

Silence = Literal["commit", "roll_back", "keep"]


def windowed(bench: Bench, silence: Silence = "keep") -> CutoverRun:
    """Return a cutover that is verified and waits for a decision."""
    access = bench.changed(commit_window=CommitWindow(seconds=600, on_timeout=silence))
    run = cutover_run(bench)
    run = CutoverRun(access, run.target, run.run_id, run.actor)
    frozen_plan(Bench(bench.root, access, bench.clock, bench.ensembles, bench.nodes), run)
    done_before(bench, run, StepName.COMMIT_WINDOW)
    return run


@pytest.mark.parametrize(("silence", "answer"), [("commit", [COMMIT]), ("roll_back", [ROLL_BACK]), ("keep", None)])
def test_silence_does_what_the_topology_says(silence: Silence, answer: list[str] | None) -> None:
    assert on_silence(CommitWindow(seconds=60, on_timeout=silence)) == answer


def test_who_decides_reads_what_either_answer_means(bench: Bench) -> None:
    text = question(windowed(bench, "roll_back"), "/the/report")
    assert "newyork is verified: commit the cutover of acme, or roll it back?" in text
    assert "[report so far](/the/report)" in text
    assert "What was done there since" not in text
    assert "what was done there since the cutover is lost" in text
    assert "after 600 s without an answer it is rolled back" in text


def test_nothing_is_promoted_before_it_was_decided(bench: Bench) -> None:
    run = windowed(bench)
    with pytest.raises(PreconditionError, match="commit_window is not done"):
        promote(run)
    assert decide(run, [COMMIT], by="omar") is None
    assert run.folder.result(StepName.COMMIT_WINDOW) is not None
    assert bench.last("cutover.step.done")["by"] == "omar"


def test_a_roll_back_gives_the_role_back_and_says_who_wanted_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    run = windowed(bench)
    sent_back = []
    monkeypatch.setattr(abort_module, "return_traffic", lambda run: (sent_back.append(run.run_id) or ["dns"], {}))
    given_up = decide(run, [ROLL_BACK], by=NOBODY)
    assert given_up is not None
    assert (given_up.role.active, given_up.role.state) == ("berlin", RoleState.STEADY)
    assert given_up.traffic == ("dns",)
    assert sent_back == [run.run_id]
    assert bench.last("cutover.roll_back.decided") == {"by": NOBODY}
    assert bench.last("cutover.traffic.returned") == {"traffic": ["dns"]}
    assert run.folder.is_aborted()
    with pytest.raises((PreconditionError, FencingError)):
        promote(run)
    assert decide(run, [ROLL_BACK], by=NOBODY) is not None


@pytest.mark.parametrize("chosen", [[], ["Approve"], [COMMIT, ROLL_BACK]])
def test_any_other_answer_decides_nothing(bench: Bench, chosen: list[str]) -> None:
    run = windowed(bench)
    with pytest.raises(PreconditionError, match="the commit window was answered with"):
        decide(run, chosen, by="omar")
    assert run.folder.result(StepName.COMMIT_WINDOW) is None
    assert not run.folder.is_aborted()


def test_without_a_window_there_is_nothing_to_decide(bench: Bench) -> None:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    with pytest.raises(NothingToDo):
        decide(run, [COMMIT], by="omar")


def test_a_roll_back_that_could_not_be_carried_out_stands(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task is tried again, and must neither ask again nor take silence for a commit."""
    run = windowed(bench, "commit")
    bench.ensembles.down.add("newyork_zookeeper")
    with pytest.raises(TransientError):
        decide(run, [ROLL_BACK], by="hana")
    assert decided_to_roll_back(run) == "hana"
    bench.ensembles.down.clear()
    with pytest.raises(PreconditionError, match="the cutover was given up"):
        promote(run)
    monkeypatch.setattr(abort_module, "return_schema", lambda *_: None)
    done = decide(run, [COMMIT], by=NOBODY)
    assert done is not None
    assert done.role.active == "berlin"
    assert StepName.COMMIT_WINDOW not in run.folder.done()
