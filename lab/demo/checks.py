"""Checks the promoted site from outside: what the cutover says of itself is not enough.

The workload's own log, which lies outside of both sites, says which commits there were; the restored metadata and
Parquet files say which are there now. The ledger is verified by the command line tool, which needs no Airflow.
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from incorta_provider.dr.report import Report
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.records.cutover_folder import CutoverFolder
from lab.demo.command_line import incorta_dr
from lab.incorta.checker import Verdict, check
from lab.incorta.database import connect
from lab.incorta.settings import load_settings
from lab.layout import DR, Lab


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known after the cutover.

    :param report: what the cutover itself recorded.
    :param rpo_seconds: how old the point's state was when the site was lost. The cutover cannot know that moment; the
        demo does.
    :param verdict: which of the workload's commits the site has.
    :param ledger_ok: whether no line of the ledger was changed, removed or inserted.
    :param drill: what the drill before the loss of the site recorded.
    :param fenced: what of the old primary the watcher fenced when it came back.
    """

    report: dict[str, Any]
    rpo_seconds: float
    verdict: Verdict
    ledger_ok: bool
    drill: Report
    fenced: tuple[str, ...]


def gather(lab: Lab, run_id: str, lost_at: datetime, drill: Report, fenced: tuple[str, ...]) -> Evidence:
    """Read the cutover's report and check the site.

    :param lost_at: when the primary was lost.
    :param drill: the report of the drill before.
    :param fenced: what of the old primary is fenced by now.
    """
    site = lab.site(DR)
    path = CutoverFolder(site.catalog, run_id).root / "report.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    point = Catalog(site.catalog).get(report["recovery_point"])
    settings = load_settings(site.node(1).home)
    with closing(connect(settings.database)) as session:
        verdict = check(session, site.storage, lab.workload)
    return Evidence(
        report=report,
        rpo_seconds=round((lost_at - point.opened_at).total_seconds(), 3),
        verdict=verdict,
        ledger_ok=incorta_dr(lab, "ledger", "verify").status == 0,
        drill=drill,
        fenced=fenced,
    )
