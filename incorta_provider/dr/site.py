"""One installation of Incorta, as the topology describes it: where its files, its database and its services are.

No secret stands in it: every credential is a connection, named here by its id.

:raises pydantic.ValidationError: a value does not fit.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from incorta_provider.dr.frozen import FrozenModel, Text
from incorta_provider.dr.storage_folders import folder_of, overlap

ConnId = Annotated[str, StringConstraints(min_length=1, max_length=200)]

DRILL_PREFIX = "_dr_drill_"
"""Begins the name of every schema that a drill makes and drops, so that no other can be dropped by mistake."""

DrillSchema = Annotated[str, StringConstraints(pattern=rf"^{DRILL_PREFIX}[a-z0-9_]{{1,40}}$")]

Url = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+://.+")]


class Metadata(FrozenModel):
    """The metadata database of a site: a MySQL connection and the schema's name.

    :ivar conn_id: with the login that Incorta has there.
    :ivar fence_conn_id: with a login of our own, which a fence leaves open while it locks Incorta's. All work at the
        database is done under it where it is given; without it, a cutover does not fence the database.
    :ivar replica_conn_id: an account of the same server that may replicate: set a replica up there, and be what another
        site's server logs in with. Host and port are those at which that server finds this one.
    :ivar dump_conn_id: a member of the same database cluster that takes no writes, where dumps are made.
    :ivar dump_node: the connection of one of the site's nodes, where the dump client runs; without it, at the worker.
    """

    conn_id: ConnId
    schema_name: Text = Field(alias="schema")
    fence_conn_id: ConnId | None = None
    replica_conn_id: ConnId | None = None
    dump_conn_id: ConnId | None = None
    dump_node: ConnId | None = None

    @property
    def place(self) -> tuple[str, str]:
        """What tells it apart from another schema."""
        return self.conn_id, self.schema_name

    @property
    def conn_ids(self) -> set[str]:
        """The ids of its connections."""
        known = (self.conn_id, self.fence_conn_id, self.replica_conn_id, self.dump_conn_id)
        return {conn_id for conn_id in known if conn_id is not None}

    @model_validator(mode="after")
    def _two_accounts(self) -> Self:
        if self.fence_conn_id == self.conn_id:
            raise ValueError(f"fence_conn_id {self.conn_id!r} is conn_id too: a fence locks Incorta's account")
        return self


class ZooKeeper(FrozenModel):
    """The ZooKeeper ensemble of a site."""

    conn_id: ConnId


class Node(FrozenModel):
    """One Incorta node, reached over SSH, with the services that it runs, in the order of their start.

    :ivar spark: whether Incorta's own Spark runs there: its scripts start it after the node agent, before any service,
        and stop it last. A Spark that Incorta did not install is not touched.
    """

    conn_id: ConnId
    services: tuple[Text, ...] = ()
    spark: bool = False


class Cmc(FrozenModel):
    """The Cluster Management Console: its API, the cluster's name there, and the node that runs it."""

    conn_id: ConnId
    cluster: Text
    node: ConnId


TableName = Annotated[str, StringConstraints(pattern=r"^[^.]+\.[^.]+$")]
"""A table of Incorta, as ``SCHEMA.TABLE``."""


class Analytics(FrozenModel):
    """The Analytics service and the tenant to log in to.

    :ivar tables: tables that must answer a query before a site counts as verified.
    :ivar load_from_staging: load the schema of a table that does not answer again, from its Parquet files, once.
    """

    conn_id: ConnId
    tenant: Text
    tables: tuple[TableName, ...] = ()
    load_from_staging: bool = False


class ObjectLock(FrozenModel):
    """How the versions of a bucket are protected from deletion, whoever holds the keys.

    :ivar mode: ``GOVERNANCE`` may be lifted by an account with a special right, ``COMPLIANCE`` by nobody.
    :ivar days: counted from when a version is made; keep it shorter than the retention, or nothing is ever pruned.
    """

    mode: Literal["GOVERNANCE", "COMPLIANCE"] = "GOVERNANCE"
    days: int = Field(ge=1, le=36_500)


class Drill(FrozenModel):
    """What a site's plan is tried out in, beside its replica: an Incorta of its own that starts only for a drill.

    :ivar storage: a folder of the drill alone, mounted at the workers and at the drill's nodes; empty between drills.
    :ivar way: how the point's files get there: ``copy``, or ``reflink`` on a file system that shares the blocks of
        files, where it costs neither time nor room.
    :ivar schema_name: made and dropped by each drill, at the site's own database server.
    :ivar zookeeper: keep it apart from the ensemble of the site: what Incorta keeps there is not public.
    :ivar values: as those of a site.
    """

    storage: Annotated[str, StringConstraints(pattern=r"^file://.+")]
    way: Literal["copy", "reflink"] = "copy"
    schema_name: DrillSchema = Field(alias="schema")
    zookeeper: ZooKeeper
    nodes: tuple[Node, ...] = Field(min_length=1)
    cmc: Cmc
    analytics: Analytics
    values: dict[str, Text] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _node_of_the_cmc(self) -> Self:
        _ensure_node_of(self.cmc, self.nodes)
        return self

    @property
    def conn_ids(self) -> set[str]:
        """The ids of the connections that must be the drill's own."""
        return {self.cmc.conn_id, self.analytics.conn_id} | {node.conn_id for node in self.nodes}


class Site(FrozenModel):
    """One installation of Incorta.

    :ivar values: strings that differ between the sites, by name (tenant paths, hosts, URLs). A cutover rewrites the
        source's value to the target's wherever a rewrite rule says so, and proves that none of the source's is left.
    :ivar mount_point: the folder where the storage is mounted, at the workers or at the node of an ``ssh://`` storage;
        replication stops when nothing is mounted there.
    :ivar catalog: a folder that is mounted at every worker, whatever the storage is.
    :ivar vault: of a storage that only a node reaches: the folder there for what is staged and displaced.
    :ivar object_lock: only of an ``s3://`` storage, whose bucket must have Object Lock on.
    :ivar drill: where recovery points are tried out at this site; None for nowhere. Only of a ``file://`` storage.
    """

    storage: Url
    catalog: Url
    vault: Url | None = None
    object_lock: ObjectLock | None = None
    mount_point: Annotated[str, StringConstraints(pattern=r"^/.*[^/]$")] | None = None
    metadata: Metadata
    zookeeper: ZooKeeper
    nodes: tuple[Node, ...] = Field(min_length=1)
    cmc: Cmc
    analytics: Analytics
    values: dict[str, Text] = Field(default_factory=dict)
    drill: Drill | None = None

    @model_validator(mode="after")
    def _node_of_the_cmc(self) -> Self:
        _ensure_node_of(self.cmc, self.nodes)
        return self

    @model_validator(mode="after")
    def _drill_stands_apart(self) -> Self:
        if self.drill is None:
            return self
        if not self.storage.startswith("file://"):
            raise ValueError(f"a drill takes its files from a mounted replica, and storage is {self.storage}")
        for name, folder in (("storage", self.storage), ("catalog", self.catalog)):
            if overlap(self.drill.storage, folder):
                raise ValueError(
                    f"drill.storage {self.drill.storage} and {name} {folder} must not lie inside each other"
                )
        if shared := sorted(self.drill.conn_ids & self.conn_ids):
            raise ValueError(f"the drill and the site have the same connection {', '.join(shared)}")
        return self

    @model_validator(mode="after")
    def _dump_at_one_of_the_nodes(self) -> Self:
        known = [node.conn_id for node in self.nodes]
        if self.metadata.dump_node not in (None, *known):
            raise ValueError(f"metadata.dump_node {self.metadata.dump_node!r} is not one of the nodes {known}")
        return self

    @model_validator(mode="after")
    def _catalog_is_mounted(self) -> Self:
        if not self.catalog.startswith("file://"):
            raise ValueError(f"catalog {self.catalog} must be a folder mounted at the workers, file:///...")
        return self

    @model_validator(mode="after")
    def _catalog_and_vault_outside_the_replica(self) -> Self:
        for name, folder in (("catalog", self.catalog), ("vault", self.vault)):
            if folder is not None and overlap(self.storage, folder):
                raise ValueError(f"{name} {folder} and storage {self.storage} must not lie inside each other")
        return self

    @model_validator(mode="after")
    def _storage_is_on_the_mount(self) -> Self:
        if self.mount_point is None:
            return self
        machine = re.match(r"file://|ssh://[^/]+", self.storage)
        if machine is None or not folder_of(self.storage).startswith(folder_of(machine[0] + self.mount_point)):
            raise ValueError(f"storage {self.storage} is not below the mount point {self.mount_point}")
        return self

    @model_validator(mode="after")
    def _lock_of_a_bucket(self) -> Self:
        if self.object_lock is not None and not self.storage.startswith("s3://"):
            raise ValueError(f"object_lock is only for a bucket, and storage is {self.storage}")
        return self

    @property
    def folders(self) -> list[str]:
        """The URLs of all that belongs to this site alone."""
        own = [url for url in (self.storage, self.catalog, self.vault) if url is not None]
        return [*own, self.drill.storage] if self.drill else own

    @property
    def conn_ids(self) -> set[str]:
        """The ids of all connections of the site."""
        servers = {self.zookeeper.conn_id, self.cmc.conn_id, self.analytics.conn_id}
        return servers | self.metadata.conn_ids | {node.conn_id for node in self.nodes}

    @property
    def own_conn_ids(self) -> set[str]:
        """The ids of all that belongs to this site alone, its place for drills included."""
        return self.conn_ids | (self.drill.conn_ids if self.drill else set())

    def for_drill(self) -> Site | None:
        """Return the place of this site's drills as a site of its own, with the catalog of this one."""
        drill = self.drill
        if drill is None:
            return None
        return Site(
            storage=drill.storage,
            catalog=self.catalog,
            metadata=self.metadata.model_copy(update={"schema_name": drill.schema_name, "replica_conn_id": None}),
            zookeeper=drill.zookeeper,
            nodes=drill.nodes,
            cmc=drill.cmc,
            analytics=drill.analytics,
            values=drill.values,
        )


def _ensure_node_of(cmc: Cmc, nodes: tuple[Node, ...]) -> None:
    known = [node.conn_id for node in nodes]
    if cmc.node not in known:
        raise ValueError(f"cmc.node {cmc.node!r} is not one of the nodes {known}")
