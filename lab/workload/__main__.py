"""``python -m lab.workload``: load jobs at one site until the process is ended.

A job that the database refuses, because it is fenced or gone, is told in ``state.json`` and tried again.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pymysql

from lab.incorta.settings import load_settings
from lab.incorta.site import loader_runs
from lab.layout import PRIMARY, SITES, Site
from lab.state import open_lab
from lab.workload.at_site import commit_log, workload_site
from lab.workload.cleanup import AGGRESSIVE_SECONDS, GENTLE_SECONDS
from lab.workload.commit_log import Phase
from lab.workload.dataset import load_dataset
from lab.workload.workload import Workload, WorkloadSettings

_KEEP = {"gentle": GENTLE_SECONDS, "aggressive": AGGRESSIVE_SECONDS}
RETRY_SECONDS = 1.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run load jobs for ever."""
    arguments = _parser().parse_args(argv)
    site = open_lab(arguments.lab, arguments.base).site(arguments.site)
    workload = _workload(site, WorkloadSettings(keep_seconds=_KEEP[arguments.cleanup]))
    while True:
        time.sleep(arguments.interval if step(workload) else RETRY_SECONDS)


def step(workload: Workload) -> bool:
    """Run one job and return whether it was committed."""
    try:
        record = workload.step()
    except (pymysql.MySQLError, OSError) as error:
        print(f"the job failed: {error}", flush=True)
        workload.report(Phase.ERROR, str(error))
        return False
    if record:
        print(f"commit {record.counter}: {', '.join(record.tables)}", flush=True)
    return record is not None


def _workload(site: Site, settings: WorkloadSettings) -> Workload:
    where = workload_site(load_settings(site.node(1).home))
    return Workload(where, commit_log(site.lab), load_dataset(), settings, allowed=partial(loader_runs, site))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab.workload", description=__doc__)
    parser.add_argument("--lab", type=Path, default=Path(".lab"), help="state folder of the lab (default: .lab)")
    parser.add_argument("--base", type=int, help="first port of the lab, when it is not the folder's own")
    parser.add_argument("--site", choices=SITES, default=PRIMARY)
    parser.add_argument("--interval", type=float, default=2.0, help="seconds between two jobs (default: 2)")
    parser.add_argument("--cleanup", choices=sorted(_KEEP), default="gentle", help="how soon old versions go")
    return parser


if __name__ == "__main__":
    sys.exit(main())
