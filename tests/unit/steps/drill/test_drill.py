"""A drill keeps to its own place, gives way to a cutover, and is taken away whatever became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest

from incorta_provider.cli import main
from incorta_provider.connection import ConnectionInfo
from incorta_provider.dr.epoch import RoleState
from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.exceptions import DrError, FencingError, IntegrityError, PreconditionError, TransientError
from incorta_provider.metadata.switch_journal import begin_switch
from incorta_provider.services.node import AGENT
from incorta_provider.services.ports import Port
from incorta_provider.steps import access
from incorta_provider.steps.cutover import take_steps
from incorta_provider.steps.cutover.abort import abort
from incorta_provider.steps.cutover.start import start_nodes
from incorta_provider.steps.drill import clean, prepare, prove, take
from incorta_provider.steps.drill.actions import ACTIONS
from incorta_provider.steps.drill.clean import clean_drill, clean_site
from incorta_provider.steps.drill.prove import prove_point
from incorta_provider.steps.drill.run import DrillRun
from incorta_provider.steps.drill.status import drill_lines
from incorta_provider.steps.drill.take import take_drill
from incorta_provider.steps.status import status_lines
from incorta_provider.storage.records.drill_record import Occupied, Proofs
from incorta_provider.storage.vault.in_use import points_in_use
from tests.builders.drill import drill_document, planned_drill, with_drill
from tests.builders.group import Bench, cutover_run, promoting, use_at_command_line

NODE = "newyork_drill_node1"


@pytest.fixture
def dropped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is dropped, without a server."""
    found: list[str] = []

    @contextmanager
    def holding(*_: object) -> Iterator[None]:
        yield

    monkeypatch.setattr(clean, "holding", holding)
    monkeypatch.setattr(clean, "drop", lambda _, schema: found.append(schema))
    return found


@pytest.fixture
def drilled(bench: Bench, dropped: list[str]) -> Bench:
    return with_drill(bench)


def in_place(bench: Bench, run: DrillRun, **facts: float) -> DrillRun:
    """Let a drill be where it is when its files were brought."""
    folder = bench.root / "newyork" / "drill"
    (folder / "acme").mkdir(parents=True)
    (folder / "acme" / "file").touch()
    run.place.take(Occupied(run_id=run.run_id, storage=folder, schema_name="_dr_drill_incorta", at=bench.clock.now))
    begun = {"step": "prepare_drill", "started_at": bench.clock.now.isoformat(), "seconds": 2.5, **facts}
    run.folder.record(StepName.PREPARE_DRILL, {**begun, "finished_at": bench.clock.go_on(3).isoformat()})
    return run


def test_what_a_drill_left_is_removed_and_nothing_else(drilled: Bench, dropped: list[str]) -> None:
    run = in_place(drilled, planned_drill(drilled))
    switch = begin_switch(run.folder.schema_switch, "_dr_drill_incorta", "0" * 64)
    drilled.nodes.ports[NODE, AGENT] = Port.OPEN
    assert points_in_use(drilled.catalog, drilled.clock.now) == {run.point().id: f"drill {run.run_id} is open"}

    assert clean_site(drilled.access, "newyork", by="omar") == run.run_id
    assert dropped == ["_dr_drill_incorta", switch.next, switch.previous]
    assert not (drilled.root / "newyork" / "drill").exists()
    *together, last = drilled.nodes.told(NODE)
    assert (sorted(together), last) == (["stop analyticsService", "stop cmc", "stop loaderService"], "stop node")
    assert drilled.nodes.told("newyork_node1") == []
    assert points_in_use(drilled.catalog, drilled.clock.now) == {}
    report = run.folder.report()
    assert report is not None
    assert (report["outcome"], report["rto_seconds"], report["not_done"][0]) == ("failed", None, "restore_metadata")
    assert drilled.events()[-1] == "drill.done"
    assert clean_site(drilled.access, "newyork", by="omar") is None


def test_a_part_that_cannot_be_removed_holds_up_no_other_and_is_tried_again(drilled: Bench, dropped: list[str]) -> None:
    run = in_place(drilled, planned_drill(drilled))
    drilled.nodes.down.add(NODE)
    with pytest.raises(TransientError, match="the drill left behind: services: the node cannot be reached"):
        clean_drill(run)
    assert dropped == ["_dr_drill_incorta"]
    assert not (drilled.root / "newyork" / "drill").exists()
    assert run.place.taken() is not None
    drilled.nodes.down.clear()
    assert clean_drill(run)["removed"][0] == "services"
    assert run.place.taken() is None


def test_the_schema_that_a_record_names_is_dropped_only_if_a_drill_may_have_made_it(
    drilled: Bench, dropped: list[str]
) -> None:
    run = planned_drill(drilled)
    run.place.take(
        Occupied(run_id=run.run_id, storage=drilled.root / "absent", schema_name="incorta", at=drilled.clock.now)
    )
    clean_drill(run)
    assert dropped == []


def test_a_drill_that_took_nothing_leaves_the_place_alone(drilled: Bench, dropped: list[str]) -> None:
    other = in_place(drilled, planned_drill(drilled, "manual__other"))
    assert clean_drill(planned_drill(drilled))["outcome"] == "failed"
    assert dropped == []
    assert other.place.taken() is not None


def test_a_clean_up_that_was_cut_off_before_its_report_is_finished_and_frees_the_point(drilled: Bench) -> None:
    run = in_place(drilled, planned_drill(drilled))
    run.place.give_back()
    assert run.point().id in points_in_use(drilled.catalog, drilled.clock.now)
    assert clean_site(drilled.access, "newyork", by="omar") == run.run_id
    assert run.folder.report() is not None
    assert points_in_use(drilled.catalog, drilled.clock.now) == {}
    assert clean_site(drilled.access, "newyork", by="omar") is None


def test_a_step_of_a_drill_whose_place_is_another_ones_or_that_was_cleaned_up_is_refused(drilled: Bench) -> None:
    run = planned_drill(drilled)
    in_place(drilled, planned_drill(drilled, "manual__other"))
    run.folder.record(StepName.PREPARE_DRILL, {"finished_at": drilled.clock.now.isoformat(), "seconds": 1.0})
    with pytest.raises(PreconditionError, match="its files and metadata are not there any more"):
        run.perform(StepName.RESTORE, lambda _: {})
    clean_drill(run)
    with pytest.raises(PreconditionError, match="it was cleaned up"):
        run.perform(StepName.PREPARE_DRILL, lambda _: {})


def test_a_drill_gives_way_to_a_cutover_but_is_cleaned_up(drilled: Bench) -> None:
    run = in_place(drilled, planned_drill(drilled))
    promoting(drilled)
    with pytest.raises(PreconditionError, match=r"no drill at newyork: .* newyork is active or being promoted"):
        run.perform(StepName.RESTORE, lambda _: {})
    assert clean_drill(run)["removed"]


def test_the_journal_of_a_cutover_is_no_drills_and_a_drill_is_not_given_up_as_a_cutover(drilled: Bench) -> None:
    run = planned_drill(drilled)
    with pytest.raises(FencingError, match="is not promoting any site"):
        abort(drilled.access, run.run_id, by="dana")
    assert drilled.ensembles.role("newyork").state is RoleState.STEADY
    with pytest.raises(PreconditionError, match="must not run: prepare_drill is not done"):
        start_nodes(cutover_run(drilled, run.run_id))


def test_the_rto_of_a_cutover_is_forecast_from_airflow_the_stop_and_the_steps(drilled: Bench) -> None:
    run = planned_drill(drilled)
    run.note("drill.requested", "requested", {})
    drilled.clock.go_on(1.5)
    run.note("drill.step.started", "prepare_drill:started:1", {})
    in_place(drilled, run, stop_seconds=4.0)
    run.folder.record(StepName.VERIFY, {"finished_at": drilled.clock.go_on(20).isoformat(), "seconds": 1.0})
    clean_drill(run)
    report = run.folder.report()
    assert report is not None
    parts = {"airflow_seconds": 3.0, "fence_seconds": None, "stop_seconds": 4.0, "steps_seconds": 20.0}
    assert report["forecast"] == parts
    assert (report["rto_objective_seconds"], report["rto_met"]) == (900.0, True)
    page = (run.folder.root / "report.html").read_text()
    assert "Forecast of a cutover" in page
    assert "from files in place to verified service" in page
    (line,) = [
        each for each in drill_lines(drilled.access.site("newyork")) if run.run_id in each and "proven, " in each
    ]
    assert "; forecast of a cutover 27 s: Airflow 3 s, stop_target 4 s, the rest 20 s; without the fence" in line


def test_a_forecast_that_misses_the_objective_is_something_to_know(drilled: Bench) -> None:
    run = planned_drill(drilled)
    for event in ("drill.requested", "drill.step.started"):
        run.note(event, event, {})
    in_place(drilled, run, stop_seconds=0.0)
    run.folder.record(StepName.VERIFY, {"finished_at": drilled.clock.go_on(901).isoformat(), "seconds": 1.0})
    clean_drill(run)
    report = run.folder.report()
    assert report is not None
    assert report["rto_met"] is False
    assert report["exceptions"][-1].startswith(
        "a cutover is forecast to take longer than the objective of 900 s: 901 s"
    )


@pytest.mark.parametrize(("compared", "raised"), [(None, TransientError), (IntegrityError, IntegrityError)])
def test_of_two_steps_that_fail_the_one_that_no_try_mends_is_told(
    drilled: Bench,
    monkeypatch: pytest.MonkeyPatch,
    compared: type[DrError] | None,
    raised: type[DrError],
) -> None:
    run = planned_drill(drilled)
    taken: list[StepName] = []

    def failing(name: StepName, kind: type[DrError] | None) -> Callable[[DrillRun], dict[str, Any]]:
        def action(_: Plan) -> dict[str, Any]:
            taken.append(name)
            if kind is not None:
                raise kind("no", where="there", fix="Mend it.")
            return {}

        return lambda run: run.perform(name, action)

    kinds = {StepName.REWRITE: TransientError, StepName.COMPARE: compared}
    steps = {name: failing(name, kinds.get(name)) for name in ACTIONS if name is not StepName.CLEAN_DRILL}
    monkeypatch.setattr(take, "_STEPS", steps)
    in_place(drilled, run)
    with pytest.raises(raised):
        take_drill(run)
    assert taken[0] is StepName.RESTORE
    assert {*taken[1:]} == {StepName.REWRITE, StepName.COMPARE}


def test_the_logins_of_a_drill_have_ended_before_its_services_are_verified(
    drilled: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = planned_drill(drilled)
    seen: list[str] = []

    @contextmanager
    def login(info: ConnectionInfo) -> Iterator[None]:
        seen.append("log in")
        yield
        seen.append("log out")

    def noting(name: StepName) -> Callable[[DrillRun], dict[str, Any]]:
        def action(_: Plan) -> dict[str, Any]:
            with run.access.kept.lend(ConnectionInfo(NODE), access.NodeShell) if "start" in name else nullcontext():
                seen.append(name)
            return {}

        return lambda run: run.perform(name, action)

    monkeypatch.setattr(access, "NodeShell", login)
    monkeypatch.setattr(take_steps, "READY_BEFORE", {})
    monkeypatch.setattr(take, "_STEPS", {name: noting(name) for name in ACTIONS if name is not StepName.CLEAN_DRILL})
    in_place(drilled, run)
    take_drill(run)
    assert [each for each in seen if each.startswith("log")] == ["log in", "log out"]
    assert seen[-2:] == ["log out", "verify_service"]


def test_a_proven_point_says_so_wherever_it_is_shown(
    drilled: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = in_place(drilled, planned_drill(drilled))
    verified = {"finished_at": drilled.clock.go_on(42).isoformat(), "seconds": 1.0}
    monkeypatch.setattr(prove, "verify_service", lambda _: verified)
    prove_point(run)
    run.folder.record(StepName.VERIFY, verified)
    assert clean_drill(run)["rto_seconds"] == 42.0
    point = run.point().id
    proof = Proofs(drilled.catalog).of(point)
    assert proof is not None
    assert (proof.run_id, proof.rto_seconds) == (run.run_id, 42.0)
    assert [line for line in status_lines(drilled.access) if point in line and "proven by a drill" in line]
    lines = list(drill_lines(drilled.access.site("newyork")))
    assert lines[0] == "no drill is in place"
    assert lines[1].endswith(f"{run.run_id} of {point}: proven, verified 42 s after its files were in place")
    assert lines[2].startswith(f"proven {point} at ")

    use_at_command_line(drilled, drill_document(drilled.root), monkeypatch)
    assert main(["drill", "status", "--group", "acme", "--site", "newyork"]) == 0
    assert capsys.readouterr().out.splitlines() == lines
    assert main(["drill", "clean", "--group", "acme", "--site", "newyork"]) == 0
    assert capsys.readouterr().out == "newyork: no drill is in place\n"


@pytest.mark.parametrize("is_taken", [False, True])
def test_an_old_drill_without_a_report_holds_up_no_new_one_unless_it_is_in_the_place(
    drilled: Bench, monkeypatch: pytest.MonkeyPatch, *, is_taken: bool
) -> None:
    new = planned_drill(drilled)
    folder = drilled.root / "newyork" / "drill"
    if is_taken:
        new.place.take(Occupied(run_id="old", storage=folder, schema_name="_dr_drill_incorta", at=drilled.clock.now))

    def fails(*_: object, **__: object) -> None:
        raise TransientError("its report cannot be made", where="x", fix="y")

    monkeypatch.setattr(prepare, "clean_site", fails)
    monkeypatch.setattr(prepare, "_ensure_no_schema", lambda run: None)
    if is_taken:
        with pytest.raises(TransientError, match="its report cannot be made"):
            prepare._take_place(new)
        return
    prepare._take_place(new)
    taken = new.place.taken()
    assert taken is not None
    assert taken.run_id == new.run_id
