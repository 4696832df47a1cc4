"""Two cutovers at once, to two different DR sites: whatever their order, at most one goes on behind its fence."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.approval import APPROVE
from incorta_provider.dr.epoch import RoleState, ensure_promoting, first_role
from incorta_provider.dr.plan import StepName
from incorta_provider.exceptions import FencingError, PreconditionError
from incorta_provider.steps.cutover.abort import Abandoned, abort
from incorta_provider.steps.cutover.apply import apply
from incorta_provider.steps.cutover.approve import seal_approval
from incorta_provider.steps.cutover.fence import fence
from incorta_provider.steps.cutover.run import CutoverRun
from tests.builders.group import NOON, Bench, cutover_run, frozen_plan, make_bench, topology_document


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Return a group with a third site, paris."""
    document: dict[str, Any] = topology_document(tmp_path)
    sites = document["groups"]["acme"]["sites"]
    sites["paris"] = _named(sites["newyork"], "paris")
    for folder in ("storage", "catalog"):
        (tmp_path / "paris" / folder).mkdir(parents=True)
    made = make_bench(tmp_path, monkeypatch, document)
    made.access.site("paris").catalog.initialise("acme", "paris")
    made.ensembles.set_role("paris", first_role("acme", "berlin", by="dana", at=NOON))
    return made


def _named(part: Any, name: str) -> Any:
    """Return a part of the topology with another site's name wherever newyork's stood."""
    if isinstance(part, dict):
        return {key: _named(value, name) for key, value in part.items()}
    if isinstance(part, list):
        return [_named(value, name) for value in part]
    return part.replace("newyork", name) if isinstance(part, str) else part


@pytest.fixture
def both(bench: Bench) -> tuple[CutoverRun, CutoverRun]:
    """Return two approved cutovers that were planned under the same epoch."""
    runs = (cutover_run(bench, "there"), CutoverRun(bench.access, bench.access.site("paris"), "elsewhere", "hana"))
    for run in runs:
        plan = frozen_plan(bench, cutover_run(bench, run.run_id)).model_copy(update={"target": run.target.name})
        run.folder.freeze(plan)
        seal_approval(run, answered_by="omar", chosen=[APPROVE], answered_at=bench.clock.now)
    return runs


def test_the_second_one_finds_its_plan_stale(bench: Bench, both: tuple[CutoverRun, CutoverRun]) -> None:
    first, second = both
    fence(first)
    assert {site: bench.ensembles.role(site).active for site in ("berlin", "newyork", "paris")} == dict.fromkeys(
        ("berlin", "newyork", "paris"), "newyork"
    )
    told = len(bench.nodes.calls)
    with pytest.raises(FencingError, match=r"run there is promoting newyork \(epoch 2\)"):
        fence(second)
    assert len(bench.nodes.calls) == told


def test_one_whose_own_registry_was_not_told_stops_when_it_speaks_to_the_source(
    bench: Bench, both: tuple[CutoverRun, CutoverRun]
) -> None:
    first, second = both
    bench.ensembles.down.add("paris_zookeeper")
    assert list(fence(first)["not_told"]) == ["paris"]
    bench.ensembles.down.clear()
    with pytest.raises(FencingError, match="its registry is at epoch 2, newyork active by run there"):
        fence(second)
    assert StepName.FENCE not in second.folder.done()
    with pytest.raises(PreconditionError, match="fence is not done"):
        apply(second)
    assert bench.ensembles.role("berlin").active == "newyork"


def test_with_the_source_gone_the_other_dr_site_says_so(bench: Bench, both: tuple[CutoverRun, CutoverRun]) -> None:
    first, second = both
    bench.ensembles.down |= {"berlin_zookeeper", "paris_zookeeper"}
    assert fence(first)["unfenced"] is True
    bench.ensembles.down.discard("paris_zookeeper")
    with pytest.raises(FencingError, match="its registry is at epoch 2, newyork active by run there"):
        fence(second)
    role = bench.ensembles.role("newyork")
    assert (role.active, role.state, role.run_id) == ("newyork", RoleState.PROMOTING, "there")


def given_up(bench: Bench, run: CutoverRun) -> Abandoned:
    """Give one up; the fixture froze both plans at newyork, too."""
    shutil.rmtree(cutover_run(bench, "elsewhere").folder.root, ignore_errors=True)
    bench.nodes.calls.clear()
    done = abort(bench.access, run.run_id, by="hana")
    assert bench.nodes.calls == []
    return done


def stopped_at_the_fence(bench: Bench, first: CutoverRun, second: CutoverRun) -> None:
    bench.ensembles.down.add("paris_zookeeper")
    fence(first)
    bench.ensembles.down.clear()
    with pytest.raises(FencingError):
        fence(second)


@pytest.mark.parametrize("down", [[], ["newyork_zookeeper"], ["berlin_zookeeper"]])
def test_giving_the_second_one_up_leaves_the_site_alone_that_the_first_one_promoted(
    bench: Bench, both: tuple[CutoverRun, CutoverRun], down: list[str]
) -> None:
    stopped_at_the_fence(bench, *both)
    promoted = bench.ensembles.role("newyork").model_copy(update={"state": RoleState.STEADY})
    for site in ("berlin", "newyork"):
        bench.ensembles.set_role(site, promoted)
    bench.ensembles.down.update(down)
    assert given_up(bench, both[1]).role == promoted
    bench.ensembles.down.clear()
    assert [bench.ensembles.role(site) for site in ("berlin", "newyork", "paris")] == [promoted] * 3
    assert given_up(bench, both[1]).role == promoted, "a repetition"


def test_giving_the_second_one_up_lets_the_first_one_go_on(bench: Bench, both: tuple[CutoverRun, CutoverRun]) -> None:
    first, second = both
    stopped_at_the_fence(bench, first, second)
    assert given_up(bench, second).role == bench.ensembles.role("newyork")
    assert ensure_promoting(bench.ensembles.role("newyork"), run_id="there", target="newyork").epoch == 2


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_giving_both_up_leaves_the_source_active(
    bench: Bench, both: tuple[CutoverRun, CutoverRun], order: tuple[int, int]
) -> None:
    stopped_at_the_fence(bench, *both)
    for number in order:
        given_up(bench, both[number])
    roles = [bench.ensembles.role(site) for site in ("berlin", "newyork", "paris")]
    assert [(role.active, role.state) for role in roles] == [("berlin", RoleState.STEADY)] * 3
