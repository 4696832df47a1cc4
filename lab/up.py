"""Brings the servers of both sites up and down, says how they are, and takes a site away.

Each function may be repeated, also after a run of it that was killed half way.

Raises what :mod:`lab.servers.server`, :mod:`lab.packages` and :mod:`lab.state` raise.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from lab.incorta_home import write_home
from lab.layout import Lab, Site
from lab.packages import require
from lab.passwords import Passwords, passwords
from lab.servers.mariadb import MariaDb
from lab.servers.server import Server, start_all
from lab.servers.sshd import Sshd
from lab.servers.zookeeper import Ensemble
from lab.state import exclusive, record_base
from lab.supervisor import Supervisor
from lab.topology import write_connections, write_topology

Progress = Callable[[str], None]
"""Takes one line about what happens."""


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """How one server is.

    :param pid: None when it does not run.
    :param reason: why it cannot be used; empty when it can.
    """

    name: str
    site: str
    ports: tuple[int, ...]
    pid: int | None
    reason: str


def servers(site: Site, drawn: Passwords) -> list[Server]:
    """Return every server of a site."""
    sshds = [Sshd(node) for node in site.nodes]
    return [MariaDb(site, drawn.sites[site.name]), *Ensemble(site).members, *sshds]


def up(lab: Lab, progress: Progress) -> None:
    """Start all servers of both sites in parallel, and write what the provider and the nodes are told about them."""
    require()
    began = time.monotonic()
    with exclusive(lab):
        record_base(lab)
        drawn = passwords(lab)
        prepare(lab, drawn)
        progress(f"starting the servers of {' and '.join(site.name for site in lab.sites)} in {lab.root}")
        start_all([server for site in lab.sites for server in servers(site, drawn)], Supervisor(lab))
    progress(f"both sites are up after {time.monotonic() - began:.1f} s")


def prepare(lab: Lab, drawn: Passwords) -> None:
    """Make the folders, the Incorta homes, the topology and the connections; data that exist stay."""
    lab.workload.mkdir(parents=True, exist_ok=True)
    for site in lab.sites:
        site.tenant.mkdir(parents=True, exist_ok=True)
        site.catalog.mkdir(parents=True, exist_ok=True)
        site.drill.storage.parent.mkdir(parents=True, exist_ok=True)
        for node in (*site.nodes, *site.drill.nodes):
            write_home(node, drawn.sites[site.name])
    write_topology(lab)
    write_connections(lab, drawn)


def down(lab: Lab, progress: Progress) -> None:
    """End every process of the lab: asked first, killed if need be. The state folder stays."""
    began = time.monotonic()
    with exclusive(lab):
        count = Supervisor(lab).stop_all()
    progress(f"{count} process(es) ended after {time.monotonic() - began:.1f} s")


def kill_site(lab: Lab, site: str, progress: Progress) -> None:
    """Kill everything of a site at once (SIGKILL), as if its machines had lost power."""
    count = Supervisor(lab).kill_all(lab.site(site).name)
    progress(f"{site}: {count} process(es) killed")


def status(lab: Lab) -> list[ServerStatus]:
    """Return how each server is, asked by its own protocol."""
    drawn = passwords(lab)
    supervisor = Supervisor(lab)
    return [_status(server, supervisor) for site in lab.sites for server in servers(site, drawn)]


def _status(server: Server, supervisor: Supervisor) -> ServerStatus:
    record = supervisor.get(server.name)
    pid = record.pid if record and supervisor.alive(server.name) else None
    reason = server.not_ready() if pid else "stopped"
    return ServerStatus(server.name, server.site_name, tuple(server.ports), pid, reason)
