from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from incorta_provider.connection import ConnectionInfo
from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.dr.topology import CommitWindow
from incorta_provider.exceptions import ConfigurationError, IntegrityError
from incorta_provider.steps import access, site_services
from incorta_provider.steps.cutover import take_steps as module
from incorta_provider.steps.cutover.run import CutoverRun, Result
from incorta_provider.steps.cutover.take_steps import READY_BEFORE, STEPS, take_steps
from incorta_provider.steps.readiness import Part
from tests.builders.group import Bench, approval_of, cutover_run, frozen_plan, promoting


@pytest.fixture
def run(bench: Bench) -> CutoverRun:
    """Return a cutover that is approved."""
    run = cutover_run(bench)
    frozen_plan(bench, run)
    run.folder.save_approval(approval_of(run))
    promoting(bench, run.run_id)
    return run


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> list[str]:
    """Let every step do nothing but note its name; a site needs three looks until a part of it is ready."""
    order: list[str] = []

    def note(name: StepName) -> Callable[[CutoverRun], Result]:
        def action(_: Plan) -> dict[str, Any]:
            order.append(name)
            return {"unfenced": False}

        return lambda run: run.perform(name, action)

    monkeypatch.setattr(module, "STEPS", {name: note(name) for name in STEPS})
    looks: list[Part] = []

    def not_ready(_: object, part: Part) -> str | None:
        looks.append(part)
        return "still starting" if looks.count(part) < 3 else order.append(f"{part} ready")

    monkeypatch.setattr(site_services, "not_ready", not_ready)
    monkeypatch.setattr(site_services, "MIN_PAUSE", 0)
    return order


def test_every_step_is_taken_in_its_turn_and_waits_for_what_has_to_be_ready(run: CutoverRun, taken: list[str]) -> None:
    result = take_steps(run)
    assert result["left"] == ""
    names = [step.name for step in run.folder.plan().steps]
    assert set(result["done"]) == set(names)
    steps = [each for each in taken if not each.endswith("ready")]
    assert sorted(steps) == sorted(names)
    assert {*steps[2:4]} == {"apply", "restore_metadata"}
    for step, parts in READY_BEFORE.items():
        assert {f"{part} ready" for part in parts} <= set(taken[: taken.index(step)])


def test_the_logins_that_started_services_have_ended_before_anybody_asks_whether_the_site_serves(
    run: CutoverRun, taken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where systemd-logind ends what a login leaves behind, the services are gone by then, and found to be."""

    @contextmanager
    def login(info: ConnectionInfo) -> Iterator[str]:
        taken.append(f"log in at {info.conn_id}")
        yield info.conn_id
        taken.append(f"log out of {info.conn_id}")

    monkeypatch.setattr(access, "NodeShell", login)
    for name in (StepName.START_NODES, StepName.START_LOADER):
        module.STEPS[name] = _with_login(module.STEPS[name])  # type: ignore[index]
    assert take_steps(run)["left"] == ""
    logins = [each for each in taken if each.startswith("log ")]
    assert logins == ["log in at berlin_node1", "log out of berlin_node1"]
    assert taken.index("start_loader") < taken.index(logins[1]) < taken.index("loader ready")


def _with_login(step: Callable[[CutoverRun], Result]) -> Callable[[CutoverRun], Result]:
    def logged_in(run: CutoverRun) -> Result:
        with run.target.kept.lend(ConnectionInfo("berlin_node1"), access.NodeShell):
            return step(run)

    return logged_in


def test_a_step_that_fails_ends_it_there_and_is_left_to_its_own_task(run: CutoverRun, taken: list[str]) -> None:
    def broken(_: CutoverRun) -> Result:
        raise IntegrityError("a file is cut", where="there", fix="Mend it.")

    module.STEPS[StepName.COMPARE] = broken  # type: ignore[index]
    result = take_steps(run)
    assert result["left"] == "compare: a file is cut [there]. Next: Mend it."
    assert {"rewrite_metadata", "apply"} <= set(result["done"])
    assert "start_nodes" not in result["done"]
    assert taken[-1] == "rewrite_metadata"


def test_it_goes_on_where_an_earlier_try_ended(run: CutoverRun, taken: list[str]) -> None:
    took = list[str]()

    def killed(_: CutoverRun) -> Result:
        took.append("start_cmc")
        raise KeyboardInterrupt

    whole = module.STEPS[StepName.START_CMC]
    module.STEPS[StepName.START_CMC] = killed  # type: ignore[index]
    with pytest.raises(KeyboardInterrupt):
        take_steps(run)
    module.STEPS[StepName.START_CMC] = whole  # type: ignore[index]
    assert take_steps(run)["left"] == ""
    assert taken.count("stop_target") == taken.count("restore_metadata") == 1


@pytest.mark.parametrize("answered", [False, True])
def test_a_commit_window_is_where_it_ends_until_a_person_answered(
    bench: Bench, taken: list[str], answered: bool
) -> None:
    run = cutover_run(bench)
    access = bench.changed(commit_window=CommitWindow(seconds=60))
    run = CutoverRun(access, run.target, run.run_id, run.actor)
    windowed = Bench(bench.root, access, bench.clock, bench.ensembles, bench.nodes)
    frozen_plan(windowed, run)
    run.folder.save_approval(approval_of(run))
    promoting(bench, run.run_id)
    take_steps(run)
    if answered:
        run.perform(StepName.COMMIT_WINDOW, lambda _: {"decided": "Commit"})
        take_steps(run)
    assert ("promote" in run.folder.done()) is answered
    assert "verify_service" in run.folder.done()


def test_without_an_approval_nothing_is_taken(bench: Bench, taken: list[str]) -> None:
    run = cutover_run(bench)
    frozen_plan(bench, run)
    assert take_steps(run) == {"done": [], "left": ""}
    assert taken == []


def test_a_part_that_is_wrongly_configured_is_left_to_its_sensor(
    run: CutoverRun, taken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: object, part: Part) -> str | None:
        raise ConfigurationError("the CMC refuses the login", where=str(part), fix="Correct it.")

    monkeypatch.setattr(site_services, "not_ready", refused)
    assert take_steps(run)["left"].startswith("start_cmc: the CMC refuses the login")
    assert run.folder.result(StepName.START_NODES) is not None
    assert run.folder.result(StepName.START_CMC) is None


def test_everything_that_needs_no_person_has_its_step() -> None:
    drilled = {StepName.PREPARE_DRILL, StepName.CLEAN_DRILL}
    assert set(StepName) - set(STEPS) == {StepName.COMMIT_WINDOW} | drilled
