"""Starts and stops the whole Incorta of one site of the lab, through its own scripts.

Raises :class:`~incorta_provider.exceptions.TransientError` for a part that is not up in time, with its reason.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from incorta_provider.exceptions import TransientError
from lab.incorta.home import Home
from lab.incorta.scripts import SERVICES
from lab.incorta.status import State, Status, read_status
from lab.layout import Site


def start_site(site: Site, *, seconds: float = 180) -> None:
    """Start node agents, CMC, Analytics and Loader, and return when all of them have started.

    :raises TransientError: one of them has not, or failed.
    """
    for node in site.nodes:
        _script(node.home / "IncortaNode/startNode.sh")
    _script(site.node(1).home / "cmc/start-cmc.sh")
    _wait(site, {"agent", "cmc"}, seconds)
    for node in site.nodes:
        for service in SERVICES:
            _script(node.home / "IncortaNode/startService.sh", service)
    _wait(site, set(SERVICES), seconds)


def stop_site(site: Site) -> None:
    """Stop services, CMC and node agents; what does not run is no error."""
    for node in site.nodes:
        for service in SERVICES:
            _script(node.home / "IncortaNode/stopService.sh", service)
    _script(site.node(1).home / "cmc/stop-cmc.sh")
    for node in site.nodes:
        _script(node.home / "IncortaNode/stopNode.sh")


def loader_runs(site: Site) -> bool:
    """Return whether a Loader of the site has started."""
    return any(read_status(Home(node.home), "loaderService").state is State.STARTED for node in site.nodes)


def statuses(site: Site) -> Iterator[tuple[str, Status]]:
    """Yield each process of the site's Incorta, with the name of its node."""
    for node in site.nodes:
        for name in ("agent", *(["cmc"] if node.has_cmc else []), *SERVICES):
            yield node.name, read_status(Home(node.home), name)


def _wait(site: Site, names: set[str], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while waiting := [(node, status) for node, status in statuses(site) if _is_awaited(status, names)]:
        node, status = waiting[0]
        if status.state is State.FAILED or time.monotonic() > deadline:
            raise TransientError(
                f"{status.name} is {status.state}: {status.reason or 'not up in time'}",
                where=f"{site.name}, {node}",
                fix="Its log says more.",
            )
        time.sleep(0.05)


def _is_awaited(status: Status, names: set[str]) -> bool:
    return status.name in names and status.state is not State.STARTED


def _script(path: Path, *arguments: str) -> None:
    subprocess.run([path, *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=180)
