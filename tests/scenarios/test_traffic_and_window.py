"""People are sent to the verified site; then it is committed, or rolled back as if nothing had been."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from incorta_provider.dr.approval import APPROVE
from incorta_provider.dr.epoch import RoleState
from incorta_provider.dr.plan import Mode
from incorta_provider.dr.report import Report
from incorta_provider.dr.request import Request
from incorta_provider.dr.topology import CommitWindow
from incorta_provider.dr.traffic import SshCommand
from incorta_provider.steps.cutover.approve import seal_approval
from incorta_provider.steps.cutover.commit import commit
from incorta_provider.steps.cutover.report import report_so_far
from incorta_provider.steps.cutover.request import request_cutover
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.cutover.take_steps import take_steps
from incorta_provider.steps.cutover.window import COMMIT, ROLL_BACK, decide
from incorta_provider.steps.readiness import Part, not_ready
from incorta_provider.steps.roles import role_at
from lab.incorta.site import loader_runs, stop_site
from lab.layout import DR, PRIMARY
from lab.ours.loop import one_round

pytestmark = [pytest.mark.lab, pytest.mark.scenario, pytest.mark.timeout(300)]

FOUND = "whatever was there before"


@pytest.fixture
def switchboard(tmp_path: Path) -> Path:
    """Return the file at a node that says where people go."""
    path = tmp_path / "switchboard"
    path.write_text(FOUND + "\n")
    return path


@pytest.fixture
def verified(stage, switchboard: Path) -> Iterator[CutoverRun]:
    """Return an approved cutover whose steps were taken as far as no person is needed."""
    stage.workload().step()
    one_round(stage.lab)
    proxy = SshCommand(
        kind="ssh",
        name="proxy",
        conn_id=f"{DR}_node2",
        set=("sh", "-c", f'echo "$1" >{switchboard}', "sh", "{value}"),
        get=("cat", str(switchboard)),
        values={PRIMARY: "to berlin", DR: "to newyork"},
    )
    config = stage.access.config.model_copy(update={"traffic": (proxy,), "commit_window": CommitWindow(seconds=600)})
    access = replace(stage.access, config=config)
    run = CutoverRun(access, access.site(DR), "manual__1", "hana")
    now = access.clock()
    plan = request_cutover(
        run,
        Request(
            run_id=run.run_id,
            target=DR,
            mode=Mode.UNPLANNED,
            recovery_point="",
            confirmation=f"PROMOTE {DR}",
            reason="the data centre is on fire",
            requested_by="hana",
            requested_at=now,
            created_at=now,
        ),
    )
    assert plan.to_markdown().count("at newyork_node2: sh -c") == 1
    seal_approval(run, answered_by="omar", chosen=[APPROVE], answered_at=access.clock())
    assert take_steps(run)["left"] == ""
    yield run
    stop_site(stage.lab.site(DR))


def test_a_verified_site_has_the_people_and_is_not_promoted_before_it_is_committed(
    stage, verified: CutoverRun, switchboard: Path
) -> None:
    assert switchboard.read_text() == "to newyork\n"
    assert role_at(verified.access, verified.target).state is RoleState.PROMOTING
    assert [not_ready(verified.target, part) for part in Part] == [None] * len(Part)
    report = report_so_far(verified)
    assert report.outcome == "under way"
    assert 0 < 0.5 * report.rto_seconds < report.working_seconds  # little passes between the steps

    decide(verified, [COMMIT], by="omar")
    assert take_steps(verified)["left"] == ""
    commit(verified.access, verified.run_id, by="omar")
    assert role_at(verified.access, verified.target).state is RoleState.STEADY
    kept = Report.model_validate(verified.folder.report())
    assert kept.outcome == "promoted"
    assert [step.name for step in kept.steps][-3:] == ["switch_traffic", "commit_window", "promote"]
    assert (verified.folder.root / "report.html").read_text().count("<rect") == len(kept.steps)


def test_a_roll_back_leaves_things_as_they_were(stage, verified: CutoverRun, switchboard: Path) -> None:
    given_up = decide(verified, [ROLL_BACK], by="omar")
    assert given_up is not None
    assert (given_up.traffic, given_up.traffic_left) == (("proxy",), {})
    assert switchboard.read_text() == FOUND + "\n"
    for site in (PRIMARY, DR):
        role = role_at(verified.access, verified.access.site(site))
        assert (role.active, role.state) == (PRIMARY, RoleState.STEADY)
    assert not loader_runs(stage.lab.site(DR))
    assert given_up.metadata == "newyork has the metadata again that it had before the cutover"
    assert report_so_far(verified).outcome == "given up"
    assert verified.access.site(DR).ledger.faults() == []
