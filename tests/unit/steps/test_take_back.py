"""The old site is whole and fenced, and the new one died in the middle: a person gives the role back."""

from __future__ import annotations

import pytest

from incorta_provider.dr.epoch import RoleState
from incorta_provider.exceptions import FencingError, PreconditionError
from incorta_provider.steps.cutover.abort import abort
from incorta_provider.steps.cutover.fence import fence
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.cutover.stop_target import stop_target
from incorta_provider.steps.take_back import take_back
from tests.builders.group import Bench, approval_of, cutover_run, frozen_plan

WORD = "newyork IS OFF"


@pytest.fixture
def fenced(bench: Bench) -> CutoverRun:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    run.folder.save_approval(approval_of(run))
    fence(run)
    bench.access.site("berlin").catalog.initialise("acme", "berlin")
    return run


def test_the_old_site_is_active_again_and_the_lost_one_is_refused_when_it_comes_back(
    bench: Bench, fenced: CutoverRun
) -> None:
    berlin = bench.access.site("berlin")
    bench.ensembles.down.add("newyork_zookeeper")
    done = take_back(bench.access, berlin, confirmation=WORD, by="dana")
    assert (done.role.epoch, done.role.active, done.role.state) == (3, "berlin", RoleState.STEADY)
    assert (done.run_id, done.lost, list(done.not_told), done.database_left) == (
        "manual__1",
        "newyork",
        ["newyork"],
        "",
    )
    assert bench.events("berlin") == ["cutover.taken_back"]

    bench.ensembles.down.clear()
    assert abort(bench.access, fenced.run_id, by="dana").role.epoch == 3
    for site in ("berlin", "newyork"):
        assert (bench.ensembles.role(site).epoch, bench.ensembles.role(site).active) == (3, "berlin")
    with pytest.raises((FencingError, PreconditionError)):
        stop_target(fenced)


@pytest.mark.parametrize("word", ["", "newyork is off", "berlin IS OFF"])
def test_without_the_word_nothing_changes(bench: Bench, fenced: CutoverRun, word: str) -> None:
    bench.ensembles.down.add("newyork_zookeeper")
    with pytest.raises(PreconditionError, match="which does not answer; it may come back") as refused:
        take_back(bench.access, bench.access.site("berlin"), confirmation=word, by="dana")
    assert WORD in refused.value.fix
    assert bench.ensembles.role("berlin").active == "newyork"


def test_a_site_that_answers_is_not_lost(bench: Bench, fenced: CutoverRun) -> None:
    with pytest.raises(PreconditionError, match="the registry of newyork answers"):
        take_back(bench.access, bench.access.site("berlin"), confirmation=WORD, by="dana")


def test_only_a_promotion_that_is_under_way_is_taken_back(bench: Bench) -> None:
    with pytest.raises(PreconditionError, match="no promotion that is under way took the role from berlin"):
        take_back(bench.access, bench.access.site("berlin"), confirmation=WORD, by="dana")
