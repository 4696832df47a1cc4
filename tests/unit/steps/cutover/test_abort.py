from __future__ import annotations

from pathlib import Path

import pytest

from incorta_provider.dr.approval import APPROVE
from incorta_provider.dr.epoch import RoleState, ensure_promoting
from incorta_provider.dr.plan import Mode, StepName
from incorta_provider.dr.schema_switch import Stage, Switch
from incorta_provider.exceptions import FencingError, NothingToDo, PreconditionError, TransientError
from incorta_provider.metadata.switch_journal import write_switch
from incorta_provider.services.ports import Port
from incorta_provider.steps.cutover import abort as abort_module
from incorta_provider.steps.cutover.abort import abort
from incorta_provider.steps.cutover.approve import seal_approval
from incorta_provider.steps.cutover.fence import fence
from incorta_provider.steps.cutover.quiesce import quiesce
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.replication.open import open_run
from tests.builders.group import SITES, Bench, cutover_run, done_before, frozen_plan, replication_run


@pytest.fixture
def fenced(bench: Bench) -> CutoverRun:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    seal_approval(run, answered_by="omar", chosen=[APPROVE], answered_at=bench.clock.now)
    fence(run)
    bench.nodes.calls.clear()
    return run


def test_the_fenced_site_is_active_again_under_a_new_epoch_and_the_lock_is_free(
    bench: Bench, fenced: CutoverRun
) -> None:
    done = abort(bench.access, fenced.run_id, by="dana")
    for site in SITES:
        role = bench.ensembles.role(site)
        assert (role.epoch, role.active, role.state, role.fenced) == (3, "berlin", RoleState.STEADY, None)
        assert (role.changed_by, role.run_id) == ("dana", "abort manual__1")
    assert (done.role, done.target, done.not_told) == (bench.ensembles.role("newyork"), "newyork", {})
    assert bench.ensembles.lock("newyork").holder() is None
    assert bench.last("cutover.aborted") == {"epoch": 3, "active": "berlin", "not_told": {}}
    assert bench.nodes.calls == []


def test_replication_goes_on_and_the_cutover_cannot(bench: Bench, fenced: CutoverRun) -> None:
    with pytest.raises(FencingError, match=r"newyork is active \(epoch 2, promoting\)"):
        open_run(replication_run(bench, "scheduled__2"))
    abort(bench.access, fenced.run_id, by="dana")
    assert open_run(replication_run(bench, "scheduled__2")).epoch == 3
    with pytest.raises(FencingError, match="run manual__1 is not the one that promotes newyork"):
        ensure_promoting(bench.ensembles.role("newyork"), run_id=fenced.run_id, target="newyork")


def test_who_did_not_answer_is_told_by_a_repetition(bench: Bench, fenced: CutoverRun) -> None:
    bench.ensembles.down.add("berlin_zookeeper")
    assert list(abort(bench.access, fenced.run_id, by="dana").not_told) == ["berlin"]
    assert bench.ensembles.role("berlin").epoch == 2
    bench.ensembles.down.clear()
    assert abort(bench.access, fenced.run_id, by="omar").not_told == {}
    assert bench.ensembles.role("berlin") == bench.ensembles.role("newyork")
    assert bench.ensembles.role("berlin").epoch == 3
    assert bench.events().count("cutover.aborted") == 1


def test_what_the_cutover_may_have_started_is_stopped_first(bench: Bench) -> None:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    done_before(bench, run, StepName.START_NODES)
    bench.nodes.down.add("newyork_node2")
    with pytest.raises(TransientError, match="the node cannot be reached"):
        abort(bench.access, run.run_id, by="dana")
    assert bench.ensembles.role("newyork").state is RoleState.PROMOTING
    bench.nodes.down.clear()
    bench.nodes.calls.clear()
    assert abort(bench.access, run.run_id, by="dana").role.active == "berlin"
    told = sorted(bench.nodes.told("newyork_node2"))
    twice = ["stop loaderService"] * 2 + ["stop node"] * 2
    assert told == twice, "a start that was under way may have ended behind the first"
    assert "stop node" in bench.nodes.told("newyork_node1")


def test_no_site_is_opened_or_started_while_the_target_is_not_proven_to_be_stopped(bench: Bench) -> None:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    done_before(bench, run, StepName.START_LOADER)
    bench.nodes.ports = {("newyork_node2", "loader"): Port.OPEN}
    bench.nodes.stubborn.add("newyork_node2")
    with pytest.raises(TransientError, match="not proven to be stopped: loader of newyork_node2: still listens"):
        abort(bench.access, run.run_id, by="dana")
    assert bench.ensembles.role("newyork").active == "berlin"
    assert not run.folder.is_aborted()
    bench.nodes.ports.clear()
    assert abort(bench.access, run.run_id, by="dana").role.epoch == 3
    assert run.folder.is_aborted()


def restored(run: CutoverRun) -> None:
    """Write down that the metadata of the target were replaced."""
    names = {"live": "incorta", "next": "_dr_beside_1_next", "previous": "_dr_beside_1_previous"}
    write_switch(run.folder.schema_switch, Switch(stage=Stage.SWITCHED, sha256="00", **names))


def test_the_target_gets_its_metadata_back_and_a_database_that_is_away_holds_up_nothing(
    bench: Bench, fenced: CutoverRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    restored(fenced)
    done = abort(bench.access, fenced.run_id, by="dana")
    assert (done.role.active, done.metadata) == ("berlin", "")
    assert "Connection refused" in done.metadata_left
    given_back: list[tuple[str, Path]] = []
    monkeypatch.setattr(
        abort_module, "return_schema", lambda endpoint, folder: given_back.append((endpoint.site, folder))
    )
    done = abort(bench.access, fenced.run_id, by="dana")
    assert (done.metadata, done.metadata_left) == (
        "newyork has the metadata again that it had before the cutover",
        "",
    )
    assert given_back == [("newyork", fenced.folder.schema_switch)]
    assert bench.last("cutover.metadata.returned") == {"schema": "incorta"}


def test_a_cutover_that_had_not_come_to_the_metadata_asks_no_database(bench: Bench, fenced: CutoverRun) -> None:
    done = abort(bench.access, fenced.run_id, by="dana")
    assert (done.metadata, done.metadata_left) == ("", "")


def test_a_promoted_site_keeps_its_role(bench: Bench, fenced: CutoverRun) -> None:
    role = bench.ensembles.role("newyork").model_copy(update={"state": RoleState.STEADY})
    bench.ensembles.set_role("newyork", role)
    with pytest.raises(FencingError, match="run manual__1 is not promoting any site; newyork is steady"):
        abort(bench.access, fenced.run_id, by="dana")
    assert bench.ensembles.role("newyork") == role
    with pytest.raises(NothingToDo, match="newyork is the active site"):
        open_run(replication_run(bench, "scheduled__2"))


def test_the_promotion_of_another_run_is_left_alone(bench: Bench, fenced: CutoverRun) -> None:
    other = cutover_run(bench, "manual__2")
    frozen_plan(bench, other)
    with pytest.raises(FencingError, match="run manual__2 is not promoting any site"):
        abort(bench.access, "manual__2", by="dana")
    with pytest.raises(PreconditionError, match="no catalog knows a cutover manual__3"):
        abort(bench.access, "manual__3", by="dana")
    assert bench.ensembles.role("newyork").run_id == "manual__1"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return which sites were started."""
    sites: list[str] = []
    monkeypatch.setattr(abort_module, "start_site", lambda site, key: sites.append(site.name))
    monkeypatch.setattr(abort_module, "switch_events", lambda endpoint, names, status: None)
    return sites


def test_a_planned_cutover_that_only_stopped_its_source_starts_it_again_under_a_new_epoch(
    bench: Bench, started: list[str]
) -> None:
    """Without one, a final sync that is under way would end, and the fence come behind it."""
    run = cutover_run(bench)
    frozen_plan(bench, run, Mode.PLANNED)
    done_before(bench, run, StepName.FENCE)
    done = abort(bench.access, run.run_id, by="dana")
    assert (done.role.epoch, done.role.active, done.started, done.start_left) == (2, "berlin", "berlin", "")
    assert bench.ensembles.role("berlin") == bench.ensembles.role("newyork")
    with pytest.raises(PreconditionError, match="the cutover was given up"):
        quiesce(run)
    (run.folder.root / "aborted.json").unlink()  # as if it died before it wrote that down
    with pytest.raises(FencingError, match="this work began under epoch 1"):
        quiesce(run)
    assert started == ["berlin"]
    assert bench.last("cutover.source.started") == {"site": "berlin"}
    assert abort(bench.access, run.run_id, by="dana").role == done.role
    assert run.folder.progress().given_up


def test_a_planned_cutover_behind_its_fence_gives_the_role_back_before_it_starts_the_source(
    bench: Bench, started: list[str]
) -> None:
    run = cutover_run(bench)
    frozen_plan(bench, run, Mode.PLANNED)
    done_before(bench, run, StepName.APPLY)
    done = abort(bench.access, run.run_id, by="dana")
    assert (done.role.epoch, done.role.active, done.started) == (3, "berlin", "berlin")


def test_a_source_that_does_not_start_is_told_and_everything_else_is_given_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(site: object, key: str) -> None:
        raise TransientError("no quorum", where="berlin")

    monkeypatch.setattr(abort_module, "start_site", fails)
    monkeypatch.setattr(abort_module, "switch_events", lambda endpoint, names, status: None)
    run = cutover_run(bench)
    frozen_plan(bench, run, Mode.PLANNED)
    done_before(bench, run, StepName.FENCE)
    done = abort(bench.access, run.run_id, by="dana")
    assert (done.started, done.start_left) == ("", "no quorum [berlin].")
    assert run.folder.progress().given_up


def test_a_planned_cutover_that_nobody_approved_is_not_there_to_be_given_up(bench: Bench, started: list[str]) -> None:
    run = cutover_run(bench)
    frozen_plan(bench, run, Mode.PLANNED)
    with pytest.raises(FencingError, match="run manual__1 is not promoting any site"):
        abort(bench.access, run.run_id, by="dana")
    assert started == []
