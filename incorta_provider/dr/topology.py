"""The topology: protection groups, their sites, and the rules that hold for them.

A topology is data, made from the text of ``incorta_dr.yaml`` by :mod:`incorta_provider.dr.topology_text`. No secret
stands in it: every credential is a connection, named here by its id.

:raises pydantic.ValidationError: a value does not fit; the parser turns it into errors with file, line and key.
"""

from __future__ import annotations

from itertools import combinations, product
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from incorta_provider.dr.breaker import Limits
from incorta_provider.dr.metadata_rules import MetadataRules
from incorta_provider.dr.retention import Retention
from incorta_provider.dr.sizes import parse_size
from incorta_provider.dr.storage_folders import folder_of, overlap
from incorta_provider.dr.traffic import TrafficDoer, doer_faults

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
"""A group's or a site's name: part of DAG ids, ZooKeeper paths and file names, so it is kept plain."""

ConnId = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(min_length=1)]
Size = Annotated[int, BeforeValidator(parse_size)]
"""A number of bytes, such as ``20MB``."""


DRILL_PREFIX = "_dr_drill_"
"""Begins the name of every schema that a drill makes and drops, so that no other can be dropped by mistake."""

DrillSchema = Annotated[str, StringConstraints(pattern=rf"^{DRILL_PREFIX}[a-z0-9_]{{1,40}}$")]

Url = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+://.+")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Metadata(_Part):
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


class ZooKeeper(_Part):
    """The ZooKeeper ensemble of a site."""

    conn_id: ConnId


class Node(_Part):
    """One Incorta node, reached over SSH, with the services that it runs, in the order of their start."""

    conn_id: ConnId
    services: tuple[Text, ...] = ()


class Cmc(_Part):
    """The Cluster Management Console: its API, the cluster's name there, and the node that runs it."""

    conn_id: ConnId
    cluster: Text
    node: ConnId


TableName = Annotated[str, StringConstraints(pattern=r"^[^.]+\.[^.]+$")]
"""A table of Incorta, as ``SCHEMA.TABLE``."""


class Analytics(_Part):
    """The Analytics service and the tenant to log in to.

    :ivar tables: tables that must answer a query before a site counts as verified.
    :ivar load_from_staging: load the schema of a table that does not answer again, from its Parquet files, once.
    """

    conn_id: ConnId
    tenant: Text
    tables: tuple[TableName, ...] = ()
    load_from_staging: bool = False


class ObjectLock(_Part):
    """How the versions of a bucket are protected from deletion, whoever holds the keys.

    :ivar mode: ``GOVERNANCE`` may be lifted by an account with a special right, ``COMPLIANCE`` by nobody.
    :ivar days: counted from when a version is made; keep it shorter than the retention, or nothing is ever pruned.
    """

    mode: Literal["GOVERNANCE", "COMPLIANCE"] = "GOVERNANCE"
    days: int = Field(ge=1, le=36_500)


class Drill(_Part):
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
    schema_name: Annotated[str, StringConstraints(pattern=rf"^{DRILL_PREFIX}[a-z0-9_]{{1,40}}$")] = Field(
        alias="schema"
    )
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


class Site(_Part):
    """One installation of Incorta.

    :ivar values: strings that differ between the sites, by name (tenant paths, hosts, URLs). A cutover rewrites the
        source's value to the target's wherever a rewrite rule says so, and proves that none of the source's is left.
    :ivar mount_point: the folder at the workers where the storage is mounted; replication stops when nothing is mounted
        there. Only of a ``file://`` storage.
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
            raise ValueError(f"metadata.dump_node {self.metadata.dump_node!r} is none of the nodes {known}")
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
        if self.mount_point is not None and not folder_of(self.storage).startswith(
            folder_of(f"file://{self.mount_point}")
        ):
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

    def for_drill(self) -> Site | None:
        """Return the place of this site's drills as a site of its own, with the catalog of this one."""
        drill = self.drill
        if drill is None:
            return None
        return Site(
            storage=drill.storage,
            catalog=self.catalog,
            metadata=self.metadata.model_copy(update={"schema_name": drill.schema_name}),
            zookeeper=drill.zookeeper,
            nodes=drill.nodes,
            cmc=drill.cmc,
            analytics=drill.analytics,
            values=drill.values,
        )


class Replication(_Part):
    """When to make a recovery point, of which files, and how the copy goes on.

    :ivar exclude: files that are none of its business; patterns on the relative path.
    :ivar immutable: folders whose files are added and removed, but never written over; patterns on the relative path.
        While such a folder keeps its time, its files are taken as unchanged. ``full_look_seconds`` after the last time
        everything is looked at all the same.
    :ivar bandwidth: how many bytes a second all copies of a run may move together; None for no limit.
    :ivar stall_seconds: a copy that has moved no byte for so long is ended and tried again.
    :ivar shard_bytes: a pre-copy of more is split into shards, each copied by a task of its own; so is one of more than
        ``shard_files``.
    """

    schedule: Text = "*/15 * * * *"
    exclude: tuple[Text, ...] = ()
    immutable: tuple[Text, ...] = ()
    full_look_seconds: int = Field(default=86_400, ge=0)
    bandwidth: Size | None = None
    stall_seconds: int = Field(default=600, ge=30)
    shard_bytes: Size = 50_000_000_000
    shard_files: int = Field(default=500_000, ge=1)


class Objectives(_Part):
    """The recovery objectives, in seconds."""

    rpo_seconds: int = Field(default=3600, gt=0)
    rto_seconds: int = Field(default=3600, gt=0)


class Verify(_Part):
    """When the live replica is compared with its recovery point, and how much of it is read each time.

    :ivar schedule: of the maintenance DAG, which prunes and compares.
    :ivar sample_days: names, sizes and times of all files are compared each time, and the content of so many that all
        have been read within this number of days; 1 reads everything each time.
    :ivar repair: bring back what differs, by itself; else it is reported, and a person decides.
    """

    schedule: Text = "0 3 * * *"
    sample_days: int = Field(default=30, ge=1, le=366)
    repair: bool = False


class ApprovalRules(_Part):
    """The connection whose password is the signing key, and how long a gate waits before silence is a refusal."""

    conn_id: ConnId
    timeout_seconds: int = Field(default=3600, ge=60)


class CommitWindow(_Part):
    """How long people look at the verified service before the cutover is committed; 0 for no window.

    :ivar on_timeout: what silence does. ``keep`` leaves the run waiting for a person, with both ways open.
    """

    seconds: int = Field(default=0, ge=0, le=7 * 86_400)
    on_timeout: Literal["commit", "roll_back", "keep"] = "keep"


class Group(_Part):
    """One Incorta cluster that is protected as a whole.

    :ivar primary: the site that was active when the epoch registry was initialised. Which one is active *now* stands in
        that registry, never here.
    :ivar retention: which recovery points stay. Without it nothing is dropped by itself: what the defaults would drop
        is reported.
    :ivar breaker: how much a recovery point may differ from the one before it without a person's word.
    :ivar notify_conn_id: where people are told of what happened without them, by a webhook.
    :ivar traffic: what sends people to the active site, in the order in which it is switched.
    """

    primary: Name
    sites: dict[Name, Site] = Field(min_length=2)
    replication: Replication = Replication()
    metadata: MetadataRules = MetadataRules()
    objectives: Objectives = Objectives()
    retention: Retention | None = None
    breaker: Limits = Limits()
    verify: Verify = Verify()
    approval: ApprovalRules
    notify_conn_id: ConnId | None = None
    traffic: tuple[TrafficDoer, ...] = ()
    commit_window: CommitWindow = CommitWindow()

    @model_validator(mode="after")
    def _primary_is_a_site(self) -> Self:
        if self.primary not in self.sites:
            raise ValueError(f"primary {self.primary!r} is none of the sites {sorted(self.sites)}")
        return self

    @model_validator(mode="after")
    def _traffic_to_every_site(self) -> Self:
        if faults := doer_faults(self.traffic, list(self.sites)):
            raise ValueError("; ".join(faults))
        return self

    @model_validator(mode="after")
    def _values_at_every_site(self) -> Self:
        for rule in self.metadata.rewrite:
            lacking = [name for name, values in self._values() if rule.value not in values]
            if lacking:
                raise ValueError(
                    f"rewrite rule for {rule.table}.{rule.column} uses value {rule.value!r}, "
                    f"which site(s) {', '.join(lacking)} do not define"
                )
        return self

    @model_validator(mode="after")
    def _replication_accounts(self) -> Self:
        lacking = [name for name, site in self.sites.items() if site.metadata.replica_conn_id is None]
        if self.metadata.replica is not None and lacking:
            raise ValueError(f"metadata.replica is set, and site(s) {', '.join(lacking)} have no replica_conn_id")
        return self

    @model_validator(mode="after")
    def _drills_are_quiet(self) -> Self:
        drilled = [name for name, site in self.sites.items() if site.drill]
        if drilled and not self.metadata.drill:
            raise ValueError(
                f"site(s) {', '.join(drilled)} have a drill, and metadata.drill says nothing to switch off: "
                "the copy would run its scheduled jobs and send mail"
            )
        return self

    @model_validator(mode="after")
    def _nothing_shared(self) -> Self:
        for (one, first), (other, second) in combinations(self.sites.items(), 2):
            shared = _shared_folder(first, second)
            if shared:
                raise ValueError(f"sites {one} and {other}: {shared}")
            conn_ids = sorted(first.conn_ids & second.conn_ids)
            if conn_ids:
                raise ValueError(f"sites {one} and {other} have the same connection {', '.join(conn_ids)}")
        return self

    @model_validator(mode="after")
    def _values_can_be_told_apart(self) -> Self:
        for (one, source), (other, values) in product(self.sites.items(), self._values()):
            own = set(values.values())
            for name, old in source.values.items() if other.split(" ")[0] != one else ():
                found = next((new for new in own if old in new), None) if old not in own else None
                if found is not None:
                    raise ValueError(
                        f"value {found!r} of site {other} contains value {name} {old!r} of site {one}: "
                        "what was rewritten already could not be told from what was not"
                    )
        return self

    def _values(self) -> list[tuple[str, dict[str, str]]]:
        """Return the values of each site, and of each drill behind its site's name."""
        sites = [(name, site.values) for name, site in self.sites.items()]
        return sites + [(f"{name} (drill)", site.drill.values) for name, site in self.sites.items() if site.drill]

    @property
    def dr_sites(self) -> list[str]:
        """The sites other than the first primary, in the file's order."""
        return [name for name in self.sites if name != self.primary]

    def warnings(self) -> list[str]:
        """Return what is allowed but weakens the promise."""
        found = []
        if not self.metadata.references:
            found.append("no metadata.references: a file that the metadata names could be missing unnoticed")
        if not self.metadata.rewrite:
            found.append("no metadata.rewrite: nothing is rewritten at a cutover")
        found += [
            f"no metadata.fence_conn_id of {name}: its database is not fenced when a cutover takes the role from it"
            for name, site in self.sites.items()
            if site.metadata.fence_conn_id is None
        ]
        return found


class Topology(_Part):
    """The whole file."""

    groups: dict[Name, Group] = Field(min_length=1)

    @model_validator(mode="after")
    def _groups_share_nothing(self) -> Self:
        sites = [(f"{group}.{name}", site) for group, part in self.groups.items() for name, site in part.sites.items()]
        for (one, first), (other, second) in combinations(sites, 2):
            shared = _shared_folder(first, second)
            if shared:
                raise ValueError(f"{one} and {other}: {shared}")
            if first.metadata.place == second.metadata.place:
                raise ValueError(f"{one} and {other} have the same metadata schema {first.metadata.schema_name}")
        return self


def _ensure_node_of(cmc: Cmc, nodes: tuple[Node, ...]) -> None:
    known = [node.conn_id for node in nodes]
    if cmc.node not in known:
        raise ValueError(f"cmc.node {cmc.node!r} is none of the nodes {known}")


def _shared_folder(first: Site, second: Site) -> str | None:
    """Say which folders of two sites are one, or lie inside each other: one site's files would count as the other's."""
    for one, other in product(first.folders, second.folders):
        if overlap(one, other):
            return f"{one} and {other} must not be the same or lie inside each other"
    return None
