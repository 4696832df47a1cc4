"""The database is a part of the fence, and comes back to its owner: at the way home, and when a cutover is given up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from incorta_provider.dr.approval import APPROVE
from incorta_provider.dr.fence_mark import FenceMark
from incorta_provider.exceptions import TransientError
from incorta_provider.steps.cutover.abort import abort
from incorta_provider.steps.cutover.approve import seal_approval
from incorta_provider.steps.cutover.fence import fence
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.cutover.unfence import unfence_target
from tests.builders.fences import REPORTED, Databases, lend_databases
from tests.builders.group import NOON, Bench, cutover_run, frozen_plan

EARLIER = FenceMark(group="acme", run_id="manual__0", by="hana", at=NOON)


@pytest.fixture
def databases(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Databases:
    return lend_databases(bench, monkeypatch)[1]


def approved_run(bench: Bench) -> CutoverRun:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    seal_approval(run, answered_by="omar", chosen=[APPROVE], answered_at=bench.clock.now)
    return run


def test_the_database_of_the_source_is_fenced_and_reported(bench: Bench, databases: Databases) -> None:
    result = fence(approved_run(bench))
    assert result["stopped"][-1] == "database"
    assert (result["database"], result["unfenced"]) == (REPORTED, False)
    assert list(databases.marks) == ["berlin"]
    mark = databases.marks["berlin"]
    assert (mark.group, mark.run_id, mark.by, mark.at) == ("acme", "manual__1", "hana", NOON)


def test_a_database_that_cannot_be_reached_is_named(bench: Bench, databases: Databases) -> None:
    databases.down.add("berlin")
    result = fence(approved_run(bench))
    assert result["not_reached"] == {"database": "the database cannot be used now"}
    assert (result["database"], result["unfenced"]) == ("the database cannot be used now", True)
    databases.down.clear()
    again = fence(replace(cutover_run(bench), clear_number=1))  # somebody cleared the task
    assert (again["database"], again["unfenced"], list(databases.marks)) == (REPORTED, False, ["berlin"])


def test_without_an_account_for_it_the_report_says_so(bench: Bench) -> None:
    result = fence(approved_run(bench))
    assert result["database"] == "not fenced: the topology names no metadata.fence_conn_id"
    assert "database" not in result["stopped"]


def test_a_site_that_comes_home_is_opened_and_its_events_wait_for_the_promotion(
    bench: Bench, databases: Databases
) -> None:
    databases.marks["newyork"] = EARLIER
    run = approved_run(bench)
    assert unfence_target(run) is True
    assert (databases.marks, databases.opened) == ({}, [("newyork", False)])
    assert bench.last("cutover.target.unfenced") == {"fenced_by": "manual__0"}
    assert unfence_target(run) is True  # it died behind it: what was done is known all the same
    assert databases.opened == [("newyork", False)]


def test_a_site_that_never_had_the_role_is_not_fenced(bench: Bench, databases: Databases) -> None:
    assert unfence_target(approved_run(bench)) is False
    assert "cutover.target.unfenced" not in bench.events()


def test_a_cutover_that_is_given_up_leaves_the_databases_as_they_were(bench: Bench, databases: Databases) -> None:
    databases.marks["newyork"] = EARLIER
    run = approved_run(bench)
    fence(run)
    unfence_target(run)
    databases.opened.clear()
    done = abort(bench.access, run.run_id, by="dana")
    assert done.fences_left == ()
    assert databases.opened == [("berlin", True)]
    assert {site: mark.run_id for site, mark in databases.marks.items()} == {"newyork": "manual__0"}
    assert bench.last("cutover.source.unfenced") == {"fenced_by": "manual__1"}


def test_a_database_that_is_away_holds_up_no_abort_and_is_opened_by_a_repetition(
    bench: Bench, databases: Databases
) -> None:
    run = approved_run(bench)
    fence(run)
    databases.down.add("berlin")
    (left,) = abort(bench.access, run.run_id, by="dana").fences_left
    assert left.startswith("the database of berlin is still fenced: the database cannot be used now")
    assert bench.ensembles.role("newyork").active == "berlin"
    databases.down.clear()
    assert abort(bench.access, run.run_id, by="dana").fences_left == ()
    assert databases.marks == {}


def test_a_database_that_cannot_be_opened_stops_the_way_home(bench: Bench, databases: Databases) -> None:
    databases.down.add("newyork")
    with pytest.raises(TransientError, match="cannot be used now"):
        unfence_target(approved_run(bench))
