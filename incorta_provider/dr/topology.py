"""The topology: protection groups, their sites, and the rules that hold for them.

A topology is data, made from the text of ``incorta_dr.yaml`` by :mod:`incorta_provider.dr.topology_text`.

:raises pydantic.ValidationError: a value does not fit; the parser turns it into errors with file, line and key.
"""

from __future__ import annotations

from itertools import combinations, product
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from incorta_provider.dr.breaker import Limits
from incorta_provider.dr.frozen import FrozenModel, Text
from incorta_provider.dr.metadata_rules import MetadataRules
from incorta_provider.dr.retention import Retention
from incorta_provider.dr.site import ConnId, Site
from incorta_provider.dr.sizes import parse_size
from incorta_provider.dr.storage_folders import overlap
from incorta_provider.dr.traffic import TrafficDoer, doer_faults

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
"""A group's or a site's name: part of DAG ids, ZooKeeper paths and file names, so it is kept plain."""

Size = Annotated[int, BeforeValidator(parse_size)]
"""A number of bytes, such as ``20MB``."""


class Replication(FrozenModel):
    """When to make a recovery point, of which files, and how the copy goes on.

    :ivar exclude: files that are left out; patterns on the relative path.
    :ivar immutable: folders whose files are added and removed, but never written over; patterns on the relative path.
        While such a folder keeps its time, its files are taken as unchanged. ``full_look_seconds`` after the last time
        everything is looked at anyway.
    :ivar bandwidth: how many bytes a second all copies of a run may move together; None for no limit.
    :ivar stall_seconds: a copy that has moved no byte for this long is ended and tried again.
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


class Objectives(FrozenModel):
    """The recovery objectives, in seconds."""

    rpo_seconds: int = Field(default=3600, gt=0)
    rto_seconds: int = Field(default=3600, gt=0)


class Verify(FrozenModel):
    """When the live replica is compared with its recovery point, and how much of it is read each time.

    :ivar schedule: of the maintenance DAG, which prunes and compares.
    :ivar sample_days: names, sizes and times of all files are compared each time, and the content of a share of them,
        so that each is read within this number of days; 1 reads everything each time.
    :ivar repair: bring back what differs, by itself; else it is reported, and a person decides.
    """

    schedule: Text = "0 3 * * *"
    sample_days: int = Field(default=30, ge=1, le=366)
    repair: bool = False


class ApprovalRules(FrozenModel):
    """The connection whose password is the signing key, and how long a gate waits before silence is a refusal."""

    conn_id: ConnId
    timeout_seconds: int = Field(default=3600, ge=60)


class CommitWindow(FrozenModel):
    """How long people look at the verified service before the cutover is committed; 0 for no window.

    :ivar on_timeout: what silence does. ``keep`` leaves the run waiting for a person, with both ways open.
    """

    seconds: int = Field(default=0, ge=0, le=7 * 86_400)
    on_timeout: Literal["commit", "roll_back", "keep"] = "keep"


class Group(FrozenModel):
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
            raise ValueError(f"primary {self.primary!r} is not one of the sites {sorted(self.sites)}")
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
            conn_ids = sorted(first.own_conn_ids & second.own_conn_ids)
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
        """Return the values of each site, and of each drill after its site's name."""
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


class Topology(FrozenModel):
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


def _shared_folder(first: Site, second: Site) -> str | None:
    """Say which folders of two sites are one, or lie inside each other: one site's files would count as the other's."""
    for one, other in product(first.folders, second.folders):
        if overlap(one, other):
            return f"{one} and {other} must not be the same or lie inside each other"
    return None
