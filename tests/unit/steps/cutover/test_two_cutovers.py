"""Two cutovers at once, to two different DR sites: whatever their order, at most one goes on behind its fence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.approval import APPROVE
from incorta_provider.dr.epoch import RoleState, first_role
from incorta_provider.dr.plan import StepName
from incorta_provider.exceptions import FencingError, PreconditionError
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
