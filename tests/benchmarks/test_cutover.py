"""The RTO of an unplanned cutover through the real Airflow, from the approval to the verified service, against a shell
script that does the same operations back to back; BENCH_ROUNDS of each, taking turns. Before each cutover a drill says
through the same Airflow what the RTO will be.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from incorta_provider.dr.report import Report
from incorta_provider.steps.cutover.commit import commit
from incorta_provider.steps.roles import initialise_roles
from incorta_provider.storage.records.cutover_folder import CutoverFolder
from lab.airflow import runner
from lab.airflow.client import AirflowClient
from lab.airflow.settings import APPROVER, REQUESTER, Settings
from lab.demo.cutover import DAG_ID, cut_over
from lab.demo.drill import DAG_ID as DRILL_DAG_ID
from lab.demo.drill import try_out
from lab.demo.primary import install_primary
from lab.demo.progress import Progress
from lab.incorta.settings import load_settings
from lab.incorta.site import stop_site
from lab.layout import DR, PRIMARY, Lab
from lab.ours.loop import lab_group, one_round
from lab.up import kill_site, up
from lab.workload.at_site import commit_log, workload_site
from lab.workload.dataset import load_dataset
from lab.workload.workload import Workload, WorkloadSettings
from tests.benchmarks.cutover_script import Script
from tests.scenarios.conftest import forget_roles

RESULT = Path(__file__).parents[2] / ".bench" / "cutover.json"
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
LOADS = 6
BAR = 1.5
FORECAST_BAR = 0.2

pytestmark = [pytest.mark.bench, pytest.mark.lab, pytest.mark.airflow, pytest.mark.timeout(600 + 300 * ROUNDS)]


@dataclass(frozen=True)
class Stage:
    """Both sites with the same commits, and two people in front of Airflow."""

    lab: Lab
    requester: AirflowClient
    approver: AirflowClient
    say: Progress

    def set(self, before_the_loss: Callable[[], object] = lambda: None) -> None:
        """Bring the primary back, make one more recovery point, and lose the primary again."""
        up(self.lab, self.say)
        stop_site(self.lab.site(DR))
        for site in self.lab.sites:
            forget_roles(site)
        initialise_roles(lab_group(self.lab), active=PRIMARY, by="the benchmark")
        one_round(self.lab)
        before_the_loss()
        kill_site(self.lab, PRIMARY, self.say)

    def script(self, script: Script) -> float:
        """Run the script and return its seconds."""
        self.set()
        began = time.monotonic()
        script.run()
        return time.monotonic() - began

    def ours(self) -> Report:
        """Make a drill and a cutover, and return the cutover's report, which has the drill's forecast."""
        self.set(lambda: try_out(self.lab, self.requester, self.say))
        run_id = cut_over(self.requester, self.approver, self.say)
        report = CutoverFolder(self.lab.site(DR).catalog, run_id).report()
        commit(lab_group(self.lab), run_id, by="the benchmark")
        return Report.model_validate(report)


@pytest.fixture(scope="module")
def stage(lab_layout: Lab) -> Iterator[Stage]:
    """Set up both sites and Airflow, with some loads at the primary."""
    say = Progress()
    up(lab_layout, say)
    install_primary(lab_layout, say)
    primary = load_settings(lab_layout.site(PRIMARY).node(1).home)
    workload = Workload(workload_site(primary), commit_log(lab_layout), load_dataset(), WorkloadSettings())
    for _ in range(LOADS):
        workload.step()
    settings = Settings(lab_layout)
    runner.up(settings, say)
    with ExitStack() as stack:
        people = [
            stack.enter_context(AirflowClient(settings.url, user, settings.passwords()[user]))
            for user in (REQUESTER, APPROVER)
        ]
        people[0].wait_until_parsed(DAG_ID, DRILL_DAG_ID)
        for dag_id in (DAG_ID, DRILL_DAG_ID):
            people[0].unpause(dag_id)
        yield Stage(lab_layout, people[0], people[1], say)
    stop_site(lab_layout.site(DR))
    runner.down(settings)


def test_the_rto_against_a_script(stage: Stage, tmp_path: Path) -> None:
    one_round(stage.lab)
    script = Script(stage.lab, tmp_path / "script")
    script.prepare()
    scripts, reports = [], []
    for _ in range(ROUNDS):
        scripts.append(stage.script(script))
        reports.append(stage.ours())
    result = result_of(scripts, reports)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"\nRESULT {json.dumps(result)}")
    assert all(report.storage.equal and report.metadata.equal for report in reports)


def result_of(scripts: list[float], reports: list[Report]) -> dict[str, Any]:
    """Return the medians, and where our seconds went."""
    ours = [report.rto_seconds or 0.0 for report in reports]
    times: dict[str, list[float]] = {step.name: [] for step in reports[0].steps_to_verified}
    for report in reports:
        for step in report.steps_to_verified:
            times[step.name].append(step.seconds)
    steps = {name: round(statistics.median(seconds), 2) for name, seconds in times.items()}
    forecasts = [report.expected_rto_seconds or 0.0 for report in reports]
    errors = [abs(foretold - took) / took for foretold, took in zip(forecasts, ours, strict=True)]
    first = [report.steps[0].began_after_seconds for report in reports]
    return {
        "rto_s": round(statistics.median(ours), 2),
        "script_s": round(statistics.median(scripts), 2),
        "ratio": round(statistics.median(ours) / statistics.median(scripts), 3),
        "bar": BAR,
        "forecast_s": round(statistics.median(forecasts), 2),
        "forecast_error": round(statistics.median(errors), 3),
        "forecast_bar": FORECAST_BAR,
        "runs": {
            name: [round(each, 2) for each in runs]
            for name, runs in (("ours", ours), ("forecast", forecasts), ("script", scripts))
        },
        "phases": {
            "approval to the first step": round(statistics.median(first), 2),
            "within steps": round(statistics.median(report.working_seconds for report in reports), 2),
            **steps,
        },
        "files": reports[0].storage.files,
        "rows": reports[0].metadata.rows,
        "load": round(os.getloadavg()[0], 1),
    }
