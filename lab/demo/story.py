"""Tells the whole story once, from an empty folder to the summary.

Raises what the chapters raise; what runs by then stays up, for a look at its logs.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

from lab.airflow import runner
from lab.airflow.client import AirflowClient
from lab.airflow.settings import APPROVER, REQUESTER, Settings
from lab.demo import checks, comeback, cutover, drill, replication
from lab.demo.disaster import lose_primary
from lab.demo.primary import install_primary, start_primary, start_workload
from lab.demo.progress import Progress
from lab.demo.stage import clean_stage
from lab.demo.summary import Summary, summarise, table
from lab.files import write
from lab.layout import DR, GROUP, PRIMARY, Lab
from lab.up import up

POINTS = 2
"""So many recovery points are sealed before the primary is lost: the first is a full copy, the next is not."""

DAGS = (replication.DAG_ID, drill.DAG_ID, cutover.DAG_ID, comeback.DAG_ID)


def tell(root: Path, base: int | None, progress: Progress) -> Summary:
    """Run the demo and return its summary."""
    with progress.chapter("A clean stage"):
        lab = clean_stage(root, base, progress)
    with progress.chapter("Two sites: MariaDB, ZooKeeper and sshd of each"):
        up(lab, progress)
    with progress.chapter(f"Incorta at {PRIMARY}"):
        install_primary(lab, progress)
        start_primary(lab, progress)
    settings = Settings(lab)
    with progress.chapter("Airflow"):
        runner.up(settings, progress)
    with ExitStack() as stack:
        requester, approver = (stack.enter_context(_login(settings, user)) for user in (REQUESTER, APPROVER))
        return _on_stage(lab, requester, approver, progress)


def _on_stage(lab: Lab, requester: AirflowClient, approver: AirflowClient, progress: Progress) -> Summary:
    with progress.chapter(f"Load jobs at {PRIMARY}, replicated to {DR}"):
        requester.wait_until_parsed(*DAGS)
        start_workload(lab, progress)
        requester.unpause(replication.DAG_ID)
        points = replication.wait_for_points(1, lab, requester, progress)
    with progress.chapter(f"Drill at {DR}, while load jobs and replication go on"):
        requester.unpause(drill.DAG_ID)
        drilled = drill.try_out(lab, requester, progress)
    with progress.chapter(f"The next point of {PRIMARY}"):
        replication.wait_for_points(POINTS, lab, requester, progress, known=points)
    with progress.chapter(f"{PRIMARY} is lost in the middle of a load job"):
        lost = lose_primary(lab, progress)
    with progress.chapter(f"Cutover of {GROUP} to {DR}"):
        requester.unpause(cutover.DAG_ID)
        run_id = cutover.cut_over(requester, approver, progress)
    with progress.chapter(f"{PRIMARY} comes back"):
        requester.unpause(comeback.DAG_ID)
        fenced = comeback.power_on(lab, run_id, requester, progress)
    with progress.chapter(f"What {DR} has"):
        summary = summarise(checks.gather(lab, run_id, lost.at, drilled, fenced))
        write(summary_file(lab), json.dumps(summary, indent=2) + "\n")
    progress.out(f"\n{table(summary)}\n")
    return summary


def summary_file(lab: Lab) -> Path:
    """Return where the summary is kept."""
    return lab.root / "summary.json"


def _login(settings: Settings, user: str) -> AirflowClient:
    return AirflowClient(settings.url, user, settings.passwords()[user])
