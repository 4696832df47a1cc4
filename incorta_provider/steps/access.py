"""A protection group with the means to reach its sites.

:raises ConfigurationError: a connection lacks a field, a storage URL is of a kind that is not supported, or a group or
    site is not in the topology.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from incorta_provider.connection import ConnectionInfo, Connections
from incorta_provider.dr.site import Node, Site
from incorta_provider.dr.topology import Group, Topology
from incorta_provider.exceptions import ConfigurationError
from incorta_provider.metadata.endpoint import Endpoint
from incorta_provider.services.node import IncortaNode
from incorta_provider.ssh.shell import NodeShell
from incorta_provider.steps.kept import Kept
from incorta_provider.storage.catalog import Catalog
from incorta_provider.storage.records.ledger_file import LedgerFile
from incorta_provider.storage.s3.lock import ObjectLock
from incorta_provider.storage.target import Target
from incorta_provider.storage.tree import Tree
from incorta_provider.storage.url import is_mounted, local_path, open_target, open_tree

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the aware time in UTC: the one clock that the steps are handed outside of tests."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class SiteAccess:
    """One site and its adapters, each made when it is asked for; connections to it may be kept open."""

    name: str
    config: Site
    connections: Connections
    kept: Kept = field(default_factory=Kept, repr=False, compare=False)

    def tree(self, exclude: tuple[str, ...]) -> Tree:
        """Return the shared storage as a tree of files."""
        return open_tree(self.config.storage, self.connections, exclude)

    @property
    def is_mounted(self) -> bool:
        """Whether something is mounted at the storage's mount point; true of a storage without one."""
        folder = self.config.mount_point
        return folder is None or is_mounted(self.config.storage, folder, self.connections)

    @property
    def target(self) -> Target:
        """The shared storage as the live replica that recovery points are applied to."""
        asked = self.config.object_lock
        lock = ObjectLock(asked.mode, asked.days) if asked else None
        return open_target(self.config.storage, self.catalog, self.connections, self.config.vault, lock)

    @property
    def catalog(self) -> Catalog:
        """The catalog of the recovery points that were replicated to this site."""
        return Catalog(local_path(self.config.catalog))

    @property
    def ledger(self) -> LedgerFile:
        """The ledger, which lies in the catalog.

        :raises PreconditionError: the catalog is not there; no ledger is begun below a mount that is gone.
        """
        self.catalog.ensure_there()
        return LedgerFile(local_path(self.config.catalog) / "ledger.jsonl")

    @property
    def database(self) -> Endpoint:
        """The metadata database, under our own account if there is one: it works at a fenced site, too."""
        metadata = self.config.metadata
        return self._endpoint(metadata.fence_conn_id or metadata.conn_id)

    @property
    def replica_account(self) -> Endpoint:
        """The metadata database by the account that may replicate.

        :raises ConfigurationError: the topology names none for this site.
        """
        conn_id = self.config.metadata.replica_conn_id
        if conn_id is None:
            raise ConfigurationError(
                f"site {self.name} has no metadata.replica_conn_id", where="topology", fix="Add it to the site."
            )
        return self._endpoint(conn_id)

    @property
    def dump_member(self) -> Endpoint | None:
        """The member of the database cluster where dumps are made; None for the database itself."""
        conn_id = self.config.metadata.dump_conn_id
        return None if conn_id is None else self._endpoint(conn_id)

    @property
    def dump_node(self) -> ConnectionInfo | None:
        """The node where the dump client runs; None for the worker."""
        conn_id = self.config.metadata.dump_node
        return None if conn_id is None else self.connections(conn_id)

    def _endpoint(self, conn_id: str) -> Endpoint:
        schema = self.config.metadata.schema_name
        return Endpoint.from_connection(self.connections(conn_id), schema=schema, site=self.name)

    @property
    def zookeeper(self) -> ConnectionInfo:
        """The ZooKeeper ensemble."""
        return self.connections(self.config.zookeeper.conn_id)

    def node(self, node: Node, run_id: str | None = None) -> IncortaNode:
        """Return one Incorta node.

        :param run_id: on whose behalf scripts run there; a script of the same run is not started twice.
        """
        return IncortaNode.from_connection(
            self.connections(node.conn_id), run_id, login=lambda info: self.kept.lend(info, NodeShell)
        )

    def node_connections(self, nodes: Iterable[Node]) -> list[ConnectionInfo]:
        """Return the connections of nodes."""
        return [self.connections(node.conn_id) for node in nodes]

    @property
    def cmc(self) -> ConnectionInfo:
        """The CMC's API."""
        return self.connections(self.config.cmc.conn_id)

    @property
    def analytics(self) -> ConnectionInfo:
        """The Analytics API."""
        return self.connections(self.config.analytics.conn_id)


@dataclass(frozen=True)
class GroupAccess:
    """One protection group, its sites and a clock; connections to its sites may be kept open."""

    name: str
    config: Group
    connections: Connections
    clock: Clock = utc_now
    kept: Kept = field(default_factory=Kept, repr=False, compare=False)

    def site(self, name: str) -> SiteAccess:
        """Return a site by its name."""
        if name not in self.config.sites:
            raise ConfigurationError(
                f"group {self.name} has no site {name!r}, only {', '.join(self.config.sites)}",
                where="topology",
                fix="Use one of these names.",
            )
        return SiteAccess(name, self.config.sites[name], self.connections, self.kept)

    def leave_nodes(self) -> None:
        """End the logins at nodes that are kept open; no command may be running there."""
        self.kept.give_back(NodeShell)

    def drill(self, name: str) -> SiteAccess:
        """Return the place for drills at a site, as a site of its own with that site's catalog."""
        config = self.site(name).config.for_drill()
        if config is None:
            raise ConfigurationError(
                f"site {name} has no place for drills",
                where=f"topology, group {self.name}",
                fix="Describe one in its `drill:` section; see docs/drill.md.",
            )
        return SiteAccess(f"{name} (drill)", config, self.connections, self.kept)


def group_access(topology: Topology, name: str, connections: Connections, clock: Clock = utc_now) -> GroupAccess:
    """Return one group of the topology."""
    if name not in topology.groups:
        raise ConfigurationError(
            f"there is no protection group {name!r}, only {', '.join(topology.groups)}",
            where="topology",
            fix="Use one of these names.",
        )
    return GroupAccess(name, topology.groups[name], connections, clock)
