"""An old primary that comes back is fenced, and nothing else ever is."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from incorta_provider.dr.approval import APPROVE
from incorta_provider.dr.epoch import steady_role
from incorta_provider.dr.plan import StepName
from incorta_provider.exceptions import NothingToDo
from incorta_provider.steps.cutover.abort import abort
from incorta_provider.steps.cutover.approve import seal_approval
from incorta_provider.steps.cutover.fence import fence
from incorta_provider.steps.cutover.run import CutoverRun
from incorta_provider.steps.status import status_lines
from incorta_provider.steps.unfence import unfence
from incorta_provider.steps.watch import watch
from tests.builders.fences import REPORTED, Databases, lend_databases
from tests.builders.group import Bench, cutover_run, frozen_plan

PARTS = ["epoch registry", "services of berlin_node1", "services of berlin_node2", "database"]


@pytest.fixture
def databases(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Databases:
    """Return the databases of a group whose old primary is gone."""
    made = lend_databases(bench, monkeypatch)[1]
    made.down.add("berlin")
    bench.nodes.down.update({"berlin_node1", "berlin_node2"})
    bench.ensembles.down.add("berlin_zookeeper")
    return made


def came_back(bench: Bench, databases: Databases) -> None:
    databases.down.clear()
    bench.nodes.down.clear()
    bench.ensembles.down.clear()


def fenced_run(bench: Bench) -> CutoverRun:
    run = cutover_run(bench)
    frozen_plan(bench, run, accept_unfenced=True)
    seal_approval(run, answered_by="omar", chosen=[APPROVE], answered_at=bench.clock.now)
    fence(run)
    return run


def promoted(bench: Bench, run: CutoverRun) -> None:
    role = bench.ensembles.role("newyork")
    bench.ensembles.set_role("newyork", steady_role(role, by="hana", run_id=run.run_id, at=bench.clock.now))


def look(bench: Bench) -> dict[str, Any]:
    bench.clock.go_on(60)
    return watch(bench.access, by="dag incorta_watch__acme")


def test_an_old_primary_is_fenced_when_it_comes_back_and_the_ledger_knows(bench: Bench, databases: Databases) -> None:
    run = fenced_run(bench)
    promoted(bench, run)
    with pytest.raises(NothingToDo, match="nothing more could be reached of berlin since cutover manual__1"):
        look(bench)
    came_back(bench, databases)
    facts = look(bench)["berlin"]
    assert (facts["stopped"], facts["not_reached"], facts["unfenced"]) == (PARTS, {}, False)
    assert facts["database"] == REPORTED
    assert bench.nodes.told("berlin_node2") == ["stop loaderService", "stop node"]
    assert bench.ensembles.role("berlin") == bench.ensembles.role("newyork")
    assert databases.marks["berlin"].run_id == "manual__1"
    (entry,) = [
        each for each in bench.access.site("newyork").ledger.entries() if each.event == "cutover.source.fenced_again"
    ]
    assert (entry.actor, entry.details["unfenced"]) == ("dag incorta_watch__acme", False)
    with pytest.raises(NothingToDo, match="every site that gave its role up is fenced"):
        look(bench)


def test_what_comes_back_in_parts_is_fenced_in_parts_and_each_part_once(bench: Bench, databases: Databases) -> None:
    run = fenced_run(bench)
    bench.nodes.down.remove("berlin_node2")
    assert look(bench)["berlin"]["stopped"] == ["services of berlin_node2"]
    came_back(bench, databases)
    bench.nodes.calls.clear()
    result = look(bench)["berlin"]
    assert (sorted(result["stopped"]), result["unfenced"]) == (sorted(PARTS), False)
    assert bench.nodes.told("berlin_node2") == []
    assert run.folder.result(StepName.FENCE) == result


def test_while_nothing_changes_the_ledger_stays_as_it_is(bench: Bench, databases: Databases) -> None:
    fenced_run(bench)
    before = bench.events()
    for _ in range(3):
        with pytest.raises(NothingToDo):
            look(bench)
    assert bench.events() == before


def test_a_site_that_a_person_opened_is_left_alone(bench: Bench, databases: Databases) -> None:
    fenced_run(bench)
    came_back(bench, databases)
    unfence(bench.access, bench.access.site("berlin"), reason="test", confirmation="UNFENCE berlin", by="dana")
    with pytest.raises(NothingToDo, match="every site"):
        look(bench)
    assert (databases.marks, bench.nodes.calls) == ({}, [])


def test_a_site_that_got_its_role_back_is_left_alone(bench: Bench, databases: Databases) -> None:
    run = fenced_run(bench)
    came_back(bench, databases)
    abort(bench.access, run.run_id, by="dana")
    bench.nodes.calls.clear()
    with pytest.raises(NothingToDo, match="every site"):
        look(bench)
    assert (databases.marks, bench.nodes.calls) == ({}, [])


def test_a_site_that_is_active_by_a_later_cutover_is_left_alone(bench: Bench, databases: Databases) -> None:
    fenced_run(bench)
    came_back(bench, databases)
    home = bench.ensembles.role("newyork").model_copy(update={"active": "berlin", "epoch": 3, "run_id": "manual__2"})
    for site in ("berlin", "newyork"):
        bench.ensembles.set_role(site, home)
    with pytest.raises(NothingToDo, match="every site"):
        look(bench)
    assert bench.nodes.calls == []


def test_without_a_cutover_a_registry_or_a_catalog_there_is_nothing_to_do(bench: Bench, databases: Databases) -> None:
    with pytest.raises(NothingToDo, match="every site"):
        look(bench)
    bench.ensembles.down.add("newyork_zookeeper")
    with pytest.raises(NothingToDo, match="no registry of the group answers"):
        look(bench)
    bench.ensembles.down.clear()
    shutil.rmtree(bench.access.site("berlin").catalog.root)
    with pytest.raises(NothingToDo, match="every site"):
        look(bench)


def test_the_status_names_a_site_that_is_not_fenced_and_its_parts(bench: Bench, databases: Databases) -> None:
    fenced_run(bench)
    bench.nodes.down.remove("berlin_node2")
    look(bench)
    line = list(status_lines(bench.access))[-1]
    assert line.startswith(
        "    berlin is NOT FENCED since cutover manual__1: database: the database cannot be used now; "
    )
    assert "epoch registry: no quorum" in line
    assert "berlin_node2" not in line
    came_back(bench, databases)
    look(bench)
    assert not any("NOT FENCED" in each for each in status_lines(bench.access))
