"""Where everything of the lab lies: folders, files and ports. Pure: nothing is created here.

Two sites stand side by side below one state folder (:class:`Lab`), each with its own clock and its own ports. Nothing
outside the state folder is written, so that two labs with other roots and other base ports never meet.

Raises :class:`ValueError` for a site, a node or a port that the lab does not have: a fault in the calling code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

GROUP = "acme"
SITES = ("berlin", "newyork")
PRIMARY, DR = SITES
SCHEMA = "incorta"
NODES = (1, 2)
ENSEMBLE = (1, 2, 3)
DEMO_BASE = 20000
SPAN = 300
"""Ports that one lab may use, from its base on."""

SiteKind = Literal[
    "mysql",
    "other_mysql",
    "zookeeper",
    "zookeeper_quorum",
    "zookeeper_election",
    "ssh",
    "agent",
    "cmc",
    "analytics",
    "loader",
    "analytics_status",
    "loader_status",
    "spark",
]
LabKind = Literal["airflow", "redis", "s3", "s3_tls", "s3_elsewhere", "ceph_mon", "ceph_osd"]

_OFFSETS: dict[SiteKind, tuple[int, int]] = {
    "mysql": (1, 1),
    "cmc": (2, 1),
    "other_mysql": (3, 1),
    "zookeeper": (11, 3),
    "zookeeper_quorum": (21, 3),
    "zookeeper_election": (31, 3),
    "ssh": (41, 2),
    "agent": (51, 2),
    "analytics": (61, 2),
    "loader": (71, 2),
    "analytics_status": (81, 2),
    "loader_status": (91, 2),
    "spark": (94, 2),
}
"""First offset in the site's hundred, and how many members the kind has."""

_DRILL_OFFSETS: dict[SiteKind, tuple[int, int]] = {
    "cmc": (4, 1),
    "agent": (53, 2),
    "analytics": (63, 2),
    "loader": (73, 2),
    "analytics_status": (83, 2),
    "loader_status": (97, 2),
    "spark": (45, 2),
}
"""The same of the place for drills, in the site's hundred too."""

_LAB_OFFSETS: dict[LabKind, int] = {
    "airflow": 200,
    "redis": 201,
    "s3": 210,
    "ceph_mon": 211,
    "s3_tls": 212,
    "s3_elsewhere": 213,
    "ceph_osd": 220,
}
_ZONES = {"berlin": ("Europe/Berlin", "+01:00"), "newyork": ("America/New_York", "-05:00")}


@dataclass(frozen=True, slots=True)
class Lab:
    """One lab.

    :param root: its state folder, absolute.
    :param base: the first of its :data:`SPAN` ports; keep below 32768, where the kernel's own choices begin.
    """

    root: Path
    base: int

    @property
    def sites(self) -> tuple[Site, ...]:
        """Return both sites, the primary first."""
        return tuple(Site(self, name) for name in SITES)

    def site(self, name: str) -> Site:
        """Return one site by its name."""
        if name not in SITES:
            raise ValueError(f"no site {name!r}; there are {', '.join(SITES)}")
        return Site(self, name)

    def port(self, kind: LabKind) -> int:
        """Return a port that belongs to no site."""
        return self.base + _LAB_OFFSETS[kind]

    def ports(self) -> dict[int, str]:
        """Return every port of the lab with what it is for."""
        uses: dict[int, str] = {self.port(kind): kind for kind in _LAB_OFFSETS}
        for site in self.sites:
            for place, offsets in ((site, _OFFSETS), (site.drill, _DRILL_OFFSETS)):
                for kind, (_, members) in offsets.items():
                    for member in range(1, members + 1):
                        uses[place.port(kind, member)] = f"{kind} {member} of {place.label}"
        return uses

    def worker(self, name: str) -> Path:
        """Return the folder of one worker of Airflow, which no other looks into."""
        return self.root / "workers" / name

    @property
    def run(self) -> Path:
        """Return the folder with one JSON file for each supervised process."""
        return self.root / "run"

    @property
    def keys(self) -> Path:
        """Return the folder of the SSH client key and the pinned host keys."""
        return self.root / "keys"

    @property
    def key_file(self) -> Path:
        """Return the private key that logs in at every node."""
        return self.keys / "id"

    @property
    def known_hosts(self) -> Path:
        """Return the file with the pinned host key of every node."""
        return self.keys / "known_hosts"

    @property
    def passwords_file(self) -> Path:
        """Return the file with the passwords that this lab drew, mode 0600."""
        return self.root / "passwords.json"

    @property
    def connections_file(self) -> Path:
        """Return the connections in the format of ``airflow connections export``, mode 0600."""
        return self.root / "connections.json"

    @property
    def topology_file(self) -> Path:
        """Return the topology that describes this lab to the provider."""
        return self.root / "incorta_dr.yaml"

    @property
    def workload(self) -> Path:
        """Return the workload's own log folder: outside both sites, so that it survives the loss of one."""
        return self.root / "workload"


@dataclass(frozen=True, slots=True)
class Site:
    """One site of the lab."""

    lab: Lab
    name: str

    @property
    def label(self) -> str:
        """Return what the ids of connections begin with."""
        return self.name

    @property
    def cluster(self) -> str:
        """Return the cluster's name at the CMC, by which Incorta's processes find each other in ZooKeeper, too."""
        return GROUP

    @property
    def schema(self) -> str:
        """Return the name of the metadata schema."""
        return SCHEMA

    @property
    def drill(self) -> DrillSite:
        """Return the place where recovery points are tried out beside the replica."""
        return DrillSite(self.lab, self.name)

    @property
    def root(self) -> Path:
        """Return the folder of everything that is lost with the site."""
        return self.lab.root / self.name

    @property
    def timezone(self) -> str:
        """Return the zone name of the site's machines."""
        return _ZONES[self.name][0]

    @property
    def database_offset(self) -> str:
        """Return MariaDB's ``default_time_zone`` at this site."""
        return _ZONES[self.name][1]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Return the Incorta nodes."""
        return tuple(Node(self, number) for number in NODES)

    def node(self, number: int) -> Node:
        """Return one Incorta node, counted from 1."""
        if number not in NODES:
            raise ValueError(f"no node {number}; there are {NODES}")
        return Node(self, number)

    @property
    def _offsets(self) -> Mapping[SiteKind, tuple[int, int]]:
        return _OFFSETS

    def port(self, kind: SiteKind, node: int = 1) -> int:
        """Return the port of the ``node``-th member of a kind, counted from 1."""
        first, members = self._offsets[kind]
        if not 1 <= node <= members:
            raise ValueError(f"{kind} has {members} member(s), not a {node}.")
        return self.lab.base + 100 * SITES.index(self.name) + first + node - 1

    @property
    def mariadb(self) -> Path:
        """Return the folder of the metadata database server."""
        return self.root / "mariadb"

    def zookeeper(self, member: int) -> Path:
        """Return the folder of one member of the ensemble."""
        return self.root / "zookeeper" / str(member)

    @property
    def zookeeper_hosts(self) -> str:
        """Return the ensemble as a ZooKeeper client takes it."""
        return ",".join(f"127.0.0.1:{self.port('zookeeper', member)}" for member in ENSEMBLE)

    @property
    def storage(self) -> Path:
        """Return the root of the shared storage: the cluster *Path* of Incorta."""
        return self.root / "storage" / "Tenants"

    @property
    def tenant(self) -> Path:
        """Return the tenant's folder in the shared storage."""
        return self.storage / GROUP

    @property
    def catalog(self) -> Path:
        """Return the catalog of recovery points, on the same filesystem as the storage."""
        return self.root / "catalog"

    @property
    def outbox(self) -> Path:
        """Return the file that stands for the mails which this site sent."""
        return self.root / "outbox.jsonl"


class DrillSite(Site):
    """A second Incorta of a site, on the site's machines: its own homes, ports, files and schema.

    It has as many nodes as the site, so that starting it takes as long.
    """

    __slots__ = ()

    @property
    def label(self) -> str:
        """Return what the ids of connections begin with."""
        return f"{self.name}_drill"

    @property
    def cluster(self) -> str:
        """Return a name of its own, so that its processes do not meet the site's in ZooKeeper."""
        return f"{GROUP}_drill"

    @property
    def schema(self) -> str:
        """Return the name of the scratch schema."""
        return f"_dr_drill_{SCHEMA}"

    @property
    def root(self) -> Path:
        """Return the folder of everything that is the drill's."""
        return self.lab.root / self.name / "drill"

    @property
    def _offsets(self) -> Mapping[SiteKind, tuple[int, int]]:
        """Its own ports where it runs beside the site's."""
        return {**_OFFSETS, **_DRILL_OFFSETS}


@dataclass(frozen=True, slots=True)
class Node:
    """One Incorta node: a machine with its own sshd and its own Incorta home."""

    site: Site
    number: int

    @property
    def name(self) -> str:
        """Return the name within the site."""
        return f"node{self.number}"

    @property
    def conn_id(self) -> str:
        """Return the id of the Airflow connection."""
        return f"{self.site.label}_{self.name}"

    @property
    def root(self) -> Path:
        """Return the node's own folder."""
        return self.site.root / self.name

    @property
    def sshd(self) -> Path:
        """Return the folder of the node's sshd."""
        return self.root / "sshd"

    @property
    def home(self) -> Path:
        """Return the Incorta home: ``IncortaNode/`` and, at the first node, ``cmc/``."""
        return self.root / "incorta"

    @property
    def has_cmc(self) -> bool:
        """Return whether the CMC is installed here."""
        return self.number == NODES[0]

    def port(self, kind: SiteKind) -> int:
        """Return a port of this node."""
        return self.site.port(kind, self.number)
