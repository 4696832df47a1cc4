"""The source is stopped only while nothing is half done there, and every part of it is proven to be stopped."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from incorta_provider.dr.plan import Mode, StepName
from incorta_provider.exceptions import ApprovalError, FencingError, NothingToDo, PreconditionError, TransientError
from incorta_provider.services.analytics import SchemaStatus
from incorta_provider.services.ports import Port
from incorta_provider.steps.access import SiteAccess
from incorta_provider.steps.cutover import quiesce as quiesce_module
from incorta_provider.steps.cutover.quiesce import quiesce
from incorta_provider.steps.cutover.run import CutoverRun
from tests.builders.group import Bench, approval_of, cutover_run, frozen_plan, promoting

GOOD = SchemaStatus.SUCCEEDED
Loads = dict[str, SchemaStatus]
Answers = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return which events of the source's database are on: one, until it is switched off."""
    on = ["heartbeat"]
    monkeypatch.setattr(quiesce_module, "events_on", lambda endpoint: list(on))
    monkeypatch.setattr(quiesce_module, "switch_events", lambda endpoint, names, status: on.clear())
    return on


@pytest.fixture
def run(bench: Bench) -> CutoverRun:
    run = cutover_run(bench)
    frozen_plan(bench, run, Mode.PLANNED)
    run.folder.save_approval(approval_of(run))
    bench.nodes.ports = {("berlin_node1", part): Port.OPEN for part in ("analytics", "loader", "agent", "cmc")}
    return run


@pytest.fixture
def answers(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Return what sets the loads that Analytics tells, time after time, and gives the list of who was asked."""

    def answers(*told: Loads) -> list[str]:
        asked, left = list[str](), list(told)

        def loads(source: SiteAccess) -> Loads:
            asked.append(source.name)
            return left.pop(0)

        monkeypatch.setattr(quiesce_module, "_loads", loads)
        return asked

    return answers


def test_loaders_stop_first_then_the_loads_are_looked_at_again_then_the_rest_stops(
    bench: Bench, run: CutoverRun, answers: Answers
) -> None:
    asked = answers({"SALES": GOOD}, {"SALES": GOOD})
    result = quiesce(run)
    assert asked == ["berlin", "berlin"]
    assert bench.nodes.told("berlin_node1")[0] == "stop loaderService"
    assert "stop node" in bench.nodes.told("berlin_node1")
    assert bench.nodes.told("newyork_node1") == []
    assert result["loads"] == {"SALES": "Succeeded"}
    assert result["stopped"] == ["berlin_node1", "berlin_node2"]
    holder = bench.ensembles.lock("newyork").holder()
    assert holder is not None
    assert (holder.run_id, holder.purpose) == (run.run_id, "cutover")


@pytest.mark.parametrize("status", [SchemaStatus.IN_PROGRESS, SchemaStatus.IN_QUEUE])
def test_a_load_that_runs_is_waited_for_and_nothing_is_stopped(
    bench: Bench, run: CutoverRun, answers: Answers, status: SchemaStatus
) -> None:
    answers({"SALES": GOOD, "HR": status})
    with pytest.raises(TransientError, match=f"a load runs: HR {status}"):
        quiesce(run)
    assert bench.nodes.calls == []


@pytest.mark.parametrize("after", [SchemaStatus.IN_PROGRESS, SchemaStatus.INTERRUPTED])
def test_a_load_that_began_meanwhile_stops_the_cutover(
    bench: Bench, run: CutoverRun, answers: Answers, after: SchemaStatus
) -> None:
    answers({"SALES": GOOD}, {"SALES": after})
    with pytest.raises(PreconditionError, match="a load began while the Loaders were stopped: SALES"):
        quiesce(run)
    assert "stop analyticsService" not in bench.nodes.told("berlin_node1")


def test_a_load_that_was_interrupted_long_ago_is_no_obstacle(run: CutoverRun, answers: Answers) -> None:
    answers({"OLD": SchemaStatus.INTERRUPTED}, {"OLD": SchemaStatus.INTERRUPTED})
    assert quiesce(run)["loads"] == {"OLD": "Interrupted"}


def test_a_source_that_was_stopped_by_hand_is_not_asked_and_passes(
    bench: Bench, run: CutoverRun, answers: Answers
) -> None:
    bench.nodes.ports.clear()
    asked = answers()
    assert quiesce(run)["loads"] == {}
    assert asked == []


def test_a_part_that_listens_still_is_not_stopped(bench: Bench, run: CutoverRun, answers: Answers) -> None:
    bench.nodes.stubborn.add("berlin_node1")
    answers({}, {})
    with pytest.raises(TransientError, match="not proven to be stopped: loader of berlin_node1: still"):
        quiesce(run)
    assert StepName.QUIESCE not in run.folder.done()


def test_without_a_young_approval_nothing_is_touched(bench: Bench, run: CutoverRun) -> None:
    bench.clock.go_on(3601)
    with pytest.raises(ApprovalError, match="the approval expired"):
        quiesce(run)
    (run.folder.root / "approval.json").unlink()
    with pytest.raises(ApprovalError, match="nobody approved"):
        quiesce(run)
    assert bench.nodes.calls == []


def test_when_the_roles_changed_meanwhile_nothing_is_touched(bench: Bench, run: CutoverRun) -> None:
    promoting(bench, "manual__2")
    with pytest.raises(FencingError, match="this work began under epoch 1"):
        quiesce(run)
    assert bench.nodes.calls == []


def test_an_unplanned_cutover_has_none(bench: Bench) -> None:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    with pytest.raises(NothingToDo, match="unplanned cutover manual__1 has no step quiesce"):
        quiesce(run)


def test_events_of_the_database_are_switched_off_and_never_forgotten(
    run: CutoverRun, answers: Answers, events: list[str]
) -> None:
    answers({}, {})
    assert quiesce(run)["events"] == ["heartbeat"]
    assert events == []
    assert run.folder.source_events() == ["heartbeat"]
    assert quiesce(run)["events"] == ["heartbeat"]


def test_a_load_that_the_first_try_interrupted_stays_one_for_the_next(run: CutoverRun, answers: Answers) -> None:
    answers({"SALES": GOOD}, {"SALES": SchemaStatus.INTERRUPTED})
    with pytest.raises(PreconditionError, match="a load began while"):
        quiesce(run)
    answers({"SALES": SchemaStatus.INTERRUPTED}, {"SALES": SchemaStatus.INTERRUPTED})
    with pytest.raises(PreconditionError, match="a load began while the Loaders were stopped: SALES"):
        quiesce(run)
    answers({"SALES": GOOD}, {"SALES": GOOD})  # Incorta finished it
    assert quiesce(run)["loads"] == {"SALES": "Succeeded"}


def test_a_loader_that_nobody_can_be_asked_about_is_not_stopped(bench: Bench, run: CutoverRun) -> None:
    del bench.nodes.ports["berlin_node1", "analytics"]
    with pytest.raises(PreconditionError, match="loader of berlin_node1 runs, and Analytics does not answer"):
        quiesce(run)
    assert bench.nodes.calls == []


def test_events_that_a_cutover_before_switched_off_count_as_on(
    bench: Bench, run: CutoverRun, answers: Answers, events: list[str]
) -> None:
    earlier = cutover_run(bench, "manual__0")
    frozen_plan(bench, earlier, Mode.PLANNED)
    earlier.folder.save_source_events(["nightly"])
    answers({}, {})
    assert quiesce(run)["events"] == ["heartbeat", "nightly"]
    assert run.folder.source_events() == ["heartbeat", "nightly"]
