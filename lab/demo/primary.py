"""The primary: Incorta's metadata, its services, and load jobs."""

from __future__ import annotations

import sys
from pathlib import Path

from lab.demo.command_line import ensure_done
from lab.demo.progress import Progress
from lab.incorta.install import install
from lab.incorta.settings import load_settings
from lab.layout import GROUP, PRIMARY, Lab
from lab.supervisor import Supervisor
from lab.workload.dataset import SCHEMAS

_CHECKOUT = Path(__file__).resolve().parent.parent.parent


def install_primary(lab: Lab, progress: Progress) -> None:
    """Put the first metadata into the primary's database, and record at both sites that the primary is active."""
    install(load_settings(lab.site(PRIMARY).node(1).home), SCHEMAS)
    progress(f"metadata installed: {sum(len(tables) for tables in SCHEMAS.values())} tables to load")
    for line in ensure_done(lab, "epoch", "init", "--group", GROUP, "--active", PRIMARY).splitlines():
        progress(line)


def start_workload(lab: Lab, progress: Progress) -> None:
    """Start load jobs, one after the other."""
    argv = [sys.executable, "-m", "lab.workload", "--lab", str(lab.root), "--base", str(lab.base)]
    log = lab.workload / "workload.log"
    Supervisor(lab).start("workload", argv, log=log, site=PRIMARY, cwd=_CHECKOUT)
    progress("load jobs run")
