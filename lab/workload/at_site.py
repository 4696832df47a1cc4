"""The workload at a site of the lab: what it needs to know stands in the site's first node.

Raises what :func:`lab.incorta.settings.load_settings` and :func:`lab.workload.dataset.load_dataset` raise.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from lab.incorta.database import connect
from lab.incorta.install import install
from lab.incorta.settings import NodeSettings, load_settings
from lab.layout import Lab, Site
from lab.workload.commit_log import CommitLog
from lab.workload.dataset import SCHEMAS, load_dataset
from lab.workload.workload import Workload, WorkloadSettings, WorkloadSite


def workload_site(settings: NodeSettings) -> WorkloadSite:
    """Return the site of a node as the workload sees it."""
    return WorkloadSite(
        name=settings.site,
        tenant=settings.tenant,
        storage=settings.storage,
        connect=partial(connect, settings.database, autocommit=False),
    )


def commit_log(lab: Lab) -> CommitLog:
    """Return the workload's own log of a lab."""
    return CommitLog(lab.workload)


def prepare_primary(site: Site) -> bool:
    """Give a site Incorta's metadata and the first version of every table; return whether there was anything to do.

    Safe to repeat; the site's database server must run, its Incorta need not.
    """
    settings = load_settings(site.node(1).home)
    done = not install(settings, SCHEMAS)
    log = commit_log(site.lab)
    if done and log.commits():
        return False
    Workload(workload_site(settings), log, load_dataset(), WorkloadSettings(write_seconds=0)).step()
    return True


def command(site: Site, *, interval: float, cleanup: str) -> list[str]:
    """Return the command line of the workload's process, for a supervisor."""
    lab = site.lab
    options = {"--lab": lab.root, "--base": lab.base, "--site": site.name, "--interval": interval, "--cleanup": cleanup}
    words = [str(word) for pair in options.items() for word in pair]
    return [sys.executable, "-P", "-m", "lab.workload", *words]


def checkout() -> Path:
    """Return the folder that must be in PYTHONPATH for :func:`command`."""
    return Path(__file__).resolve().parent.parent.parent
