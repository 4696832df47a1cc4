"""A worker that dies in every step of a drill, at each of its moments: each time all of it is taken away."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from incorta_provider.steps.drill.actions import ACTIONS
from incorta_provider.steps.drill.clean import clean_drill, clean_site
from incorta_provider.steps.drill.run import DrillRun
from incorta_provider.steps.drill.take import take_drill
from incorta_provider.storage.apply.actual import is_diverged
from incorta_provider.storage.verify import verify_replica
from lab.layout import DR
from tests.builders.deaths import MOMENTS, Deaths, worker_died
from tests.chaos.tally import Tallies
from tests.scenarios.test_drill import NOTHING, drill, left, request, tables_of_dr, with_point

pytestmark = [pytest.mark.lab, pytest.mark.scenario, pytest.mark.chaos, pytest.mark.timeout(3600)]

__all__ = ["with_point"]


def work(run: DrillRun) -> None:
    """Do what the tasks of the DAG do."""
    take_drill(run)
    clean_drill(run)


def test_in_every_step_and_at_each_of_its_moments_nothing_of_it_is_left(with_point, tmp_path: Path) -> None:
    stage, tallies = with_point, Tallies()
    moments = MOMENTS[: int(os.environ.get("CHAOS_POINTS") or len(MOMENTS))]
    deaths = Deaths(tmp_path / "deaths", moments)
    expected = {(str(step), moment) for step in ACTIONS for moment in moments}
    for number in range(len(expected) + 1):
        run = drill(stage, f"manual__{number}")
        request(run)
        if not worker_died(lambda run=run: work(run), deaths):
            break
        with tallies.of("drill").point("a drill", " ".join(deaths.all()[-1])):
            clean_site(stage.access, DR, by="omar")
            ensure_unharmed(stage, run)
    assert set(deaths.all()) == expected
    assert run.folder.report()["outcome"] == "proven"  # type: ignore[index]
    tallies.save()


def ensure_unharmed(stage, run: DrillRun) -> None:
    """Nothing of the drill is left, and what it ran beside is what it was."""
    site = stage.access.site(DR)
    assert left(stage) == NOTHING
    assert (tables_of_dr(stage), is_diverged(site.catalog)) == (0, False)
    live = site.catalog.live_point_id()
    manifest = site.catalog.manifest_path(live)
    assert verify_replica(site.target, manifest, deep=True, exclude=stage.access.config.replication.exclude).equal
    assert site.ledger.faults() == []
    assert (run.folder.report() is not None) == bool(run.folder.done()), "its report frees the point"
