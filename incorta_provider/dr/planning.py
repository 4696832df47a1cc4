"""Which steps a mode has, and how each is told to the person who approves. Pure.

All modes are made of the same steps; they differ in which they have. The members of a group may run at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from incorta_provider.dr.plan import Mode, Plan, PlanStep, StepName, as_text
from incorta_provider.dr.recovery_point import RecoveryPoint
from incorta_provider.dr.request import Request
from incorta_provider.dr.site import Node, Site
from incorta_provider.dr.topology import Group

Groups = tuple[tuple[StepName, ...], ...]

_BEFORE_THE_FENCE: Groups = ((StepName.QUIESCE,), (StepName.FINAL_SYNC,))
_STARTS_AND_VERIFY: Groups = (
    (StepName.START_NODES,),
    (StepName.START_CMC,),
    (StepName.START_LOADER, StepName.START_ANALYTICS),
    (StepName.VERIFY,),
)
_FROM_THE_FENCE_ON: Groups = (
    (StepName.FENCE,),
    (StepName.STOP_TARGET,),
    (StepName.APPLY, StepName.RESTORE),
    (StepName.REWRITE, StepName.COMPARE),
    *_STARTS_AND_VERIFY,
    (StepName.SWITCH_TRAFFIC,),
    (StepName.COMMIT_WINDOW,),
    (StepName.PROMOTE,),
)
GROUPS: Mapping[Mode, Groups] = {
    Mode.PLANNED: _BEFORE_THE_FENCE + _FROM_THE_FENCE_ON,
    Mode.UNPLANNED: _FROM_THE_FENCE_ON,
    Mode.FAILBACK: _BEFORE_THE_FENCE + _FROM_THE_FENCE_ON,
    Mode.DRILL: (
        (StepName.PREPARE_DRILL,),
        (StepName.RESTORE,),
        (StepName.REWRITE, StepName.COMPARE),
        *_STARTS_AND_VERIFY,
        (StepName.CLEAN_DRILL,),
    ),
}
"""The groups of steps of each mode, in their order. Files and metadata are brought to the point in parallel, and are
compared before anything starts (docs/decisions/0003)."""

AT_THE_SOURCE = frozenset({StepName.QUIESCE, StepName.FINAL_SYNC, StepName.FENCE})
OPTIONAL = frozenset({StepName.SWITCH_TRAFFIC})
"""What a person may leave out: people can be sent to the promoted site by hand."""


def make_plan(
    name: str,
    group: Group,
    *,
    source: str,
    target: str,
    epoch: int,
    point: RecoveryPoint,
    request: Request,
    found: Mapping[StepName, Sequence[str]] | None = None,
) -> Plan:
    """Return the plan for what was requested.

    :param found: what the approver is to know about a step, beside what it does.
    """
    setting = _Setting(group, source, target, point, epoch, request.mode)
    return Plan(
        group=name,
        run_id=request.run_id,
        mode=request.mode,
        source=source,
        target=target,
        epoch=epoch,
        recovery_point=point.id,
        point_opened_at=point.opened_at,
        requested_by=request.requested_by,
        reason=request.reason,
        requested_at=request.requested_at,
        created_at=request.created_at,
        accept_unfenced=request.accept_unfenced,
        steps=tuple(_steps(setting, found or {})),
    )


@dataclass(frozen=True, slots=True)
class _Setting:
    """What the steps are told from."""

    group: Group
    source: str
    target: str
    point: RecoveryPoint
    epoch: int
    mode: Mode

    @property
    def site(self) -> Site:
        """Where the steps act: in a drill its own place, where the site has one."""
        site = self.group.sites[self.target]
        return site if self.mode.is_cutover else site.for_drill() or site

    @property
    def old_site(self) -> Site:
        return self.group.sites[self.source]

    @property
    def nodes(self) -> str:
        return ", ".join(node.conn_id for node in self.site.nodes)

    @property
    def point_name(self) -> str:
        return "the final sync's point" if self.mode.loses_nothing else self.point.id


def _steps(setting: _Setting, found: Mapping[StepName, Sequence[str]]) -> Iterator[PlanStep]:
    groups = [[name for name in names if _is_asked_for(name, setting.group)] for names in GROUPS[setting.mode]]
    for number, names in enumerate(filter(None, groups), start=1):
        for name in names:
            yield PlanStep(
                name=name,
                group=number,
                site=setting.source if name in AT_THE_SOURCE else setting.target,
                optional=name in OPTIONAL,
                actions=(*_ACTIONS[name](setting), *map(as_text, found.get(name, ()))),
                commands=tuple(_COMMANDS[name](setting)) if name in _COMMANDS else (),
            )


def _is_asked_for(name: StepName, group: Group) -> bool:
    """Tell whether a group has a step at all: some are there only when the topology says so."""
    wishes: Mapping[StepName, object] = {
        StepName.SWITCH_TRAFFIC: group.traffic,
        StepName.COMMIT_WINDOW: group.commit_window.seconds,
    }
    return bool(wishes.get(name, True))


def _quiesce(setting: _Setting) -> list[str]:
    return [
        f"wait until no load runs at {setting.source}, stop its Loaders, check again",
        f"stop Incorta at {setting.source}, prove it by closed ports; its users have no service from here on",
    ]


def _final_sync(setting: _Setting) -> list[str]:
    return [f"replicate {setting.source} to {setting.target} once more, with proof, as the point to promote"]


def _fence(setting: _Setting) -> list[str]:
    proof = [f"refuse if {setting.source} was written to after the final sync"] if setting.mode.loses_nothing else []
    reach = "" if setting.mode.loses_nothing else " if it can be reached"
    return [
        *proof,
        f"set epoch {setting.epoch + 1} at {setting.target}",
        f"stop services of {setting.source}{reach}",
        _fence_database(setting, reach),
    ]


def _fence_database(setting: _Setting, reach: str) -> str:
    metadata = setting.old_site.metadata
    if metadata.fence_conn_id is None:
        return f"the database of {setting.source} is not fenced: the topology names no metadata.fence_conn_id"
    return (
        f"lock the accounts that may write schema {metadata.schema_name} of {setting.source}, make it read-only{reach}"
    )


def _apply(setting: _Setting) -> list[str]:
    size = "" if setting.mode.loses_nothing else f" ({setting.point.files} files)"
    return [f"roll {setting.site.storage} to {setting.point_name}{size}"]


def _restore(setting: _Setting) -> list[str]:
    schema = setting.site.metadata.schema_name
    if not setting.mode.is_cutover:
        return [f"load {setting.point.tables} tables, compare them with the point, make them schema {schema}"]
    tables = "all tables" if setting.mode.loses_nothing else f"{setting.point.tables} tables"
    return [
        f"load {tables} beside schema {schema}, compare them with the point",
        f"switch them into {schema}; what was there is kept until `incorta-dr cutover commit`",
        *(
            [f"open the database of {setting.target} if a cutover fenced it"]
            if setting.site.metadata.fence_conn_id
            else []
        ),
    ]


def _rewrite(setting: _Setting) -> list[str]:
    rules = [f"{rule.table}.{rule.column}: {rule.value}" for rule in setting.group.metadata.rewrite]
    if not setting.mode.is_cutover:
        rules += [f"{rule.table}.{rule.column}: {rule.to!r}" for rule in setting.group.metadata.drill]
    return rules or ["no rewrite rules"]


def _traffic(setting: _Setting) -> list[str]:
    return [
        f"{doer.in_words(setting.target)}{' (optional)' if doer.optional else ''}" for doer in setting.group.traffic
    ]


def _window(setting: _Setting) -> list[str]:
    window = setting.group.commit_window
    silence = {"commit": "commits", "roll_back": "rolls back", "keep": "keeps waiting"}[window.on_timeout]
    return [f"wait {window.seconds} s for a person to commit or to roll back; silence {silence}"]


def _prepare_drill(setting: _Setting) -> list[str]:
    return [
        f"clean up what an earlier drill left at {setting.target}",
        f"stop Incorta on {setting.nodes}, prove it by closed ports",
        f"bring {setting.point.files} files to {setting.site.storage}; the replica is only read",
    ]


def _clean_drill(setting: _Setting) -> list[str]:
    return [
        f"stop Incorta on {setting.nodes}, also after a failure",
        f"drop schema {setting.site.metadata.schema_name}, empty {setting.site.storage}, write the report",
    ]


def _start_nodes(setting: _Setting) -> list[str]:
    with_spark = ", ".join(node.conn_id for node in setting.site.nodes if node.spark)
    agents = f"check ZooKeeper, start node agents on {setting.nodes}"
    return [agents, f"start Spark on {with_spark}"] if with_spark else [agents]


def _loaders(setting: _Setting) -> list[str]:
    return [name for name in _services(setting) if _is_loader(name)] or ["no Loader"]


def _analytics(setting: _Setting) -> list[str]:
    return [name for name in _services(setting) if not _is_loader(name)] or ["none"]


def _services(setting: _Setting) -> list[str]:
    return sorted({service for node in setting.site.nodes for service in node.services})


def _is_loader(service: str) -> bool:
    return "loader" in service.lower()


def _verify(setting: _Setting) -> list[str]:
    analytics = setting.site.analytics
    queries = [f"query {', '.join(analytics.tables)}"] if analytics.tables else []
    return [f"log in to tenant {analytics.tenant}", "check every service", *queries]


_ACTIONS: Mapping[StepName, Callable[[_Setting], Sequence[str]]] = {
    StepName.QUIESCE: _quiesce,
    StepName.FINAL_SYNC: _final_sync,
    StepName.FENCE: _fence,
    StepName.STOP_TARGET: lambda setting: [f"stop Incorta on {setting.nodes}, prove it by closed ports"],
    StepName.APPLY: _apply,
    StepName.PREPARE_DRILL: _prepare_drill,
    StepName.RESTORE: _restore,
    StepName.REWRITE: _rewrite,
    StepName.COMPARE: lambda _: ["compare every file and digest with the point"],
    StepName.START_NODES: _start_nodes,
    StepName.START_CMC: lambda setting: [f"start the CMC on {setting.site.cmc.node}"],
    StepName.START_LOADER: _loaders,
    StepName.START_ANALYTICS: _analytics,
    StepName.VERIFY: _verify,
    StepName.SWITCH_TRAFFIC: _traffic,
    StepName.COMMIT_WINDOW: _window,
    StepName.PROMOTE: lambda setting: [
        f"record {setting.target} as the active site",
        "switch database events on",
    ],
    StepName.CLEAN_DRILL: _clean_drill,
}


def _stops(site: Site) -> Iterator[str]:
    """Yield the scripts that stop a site (Incorta's documentation), services first."""
    for node in site.nodes:
        for service in reversed(node.services):
            yield _script(node, f"IncortaNode/stopService.sh {service}")
        if node.conn_id == site.cmc.node:
            yield _script(node, "cmc/stop-cmc.sh")
        yield _script(node, "IncortaNode/stopNode.sh")
        if node.spark:
            yield _script(node, "IncortaNode/stopSpark.sh")


def _node_starts(setting: _Setting) -> Iterator[str]:
    for node in setting.site.nodes:
        yield _script(node, "IncortaNode/startNode.sh")
        if node.spark:
            yield _script(node, "IncortaNode/startSpark.sh")


def _starts(site: Site, *, loader: bool) -> Iterator[str]:
    for node in site.nodes:
        for service in node.services:
            if _is_loader(service) is loader:
                yield _script(node, f"IncortaNode/startService.sh {service}")


def _start_cmc(setting: _Setting) -> Iterator[str]:
    for node in setting.site.nodes:
        if node.conn_id == setting.site.cmc.node:
            yield _script(node, "cmc/start-cmc.sh")


def _script(node: Node, command: str) -> str:
    return f"{node.conn_id}: {command}"


_COMMANDS: Mapping[StepName, Callable[[_Setting], Iterator[str]]] = {
    StepName.QUIESCE: lambda setting: _stops(setting.old_site),
    StepName.FENCE: lambda setting: _stops(setting.old_site),
    StepName.STOP_TARGET: lambda setting: _stops(setting.site),
    StepName.PREPARE_DRILL: lambda setting: _stops(setting.site),
    StepName.CLEAN_DRILL: lambda setting: _stops(setting.site),
    StepName.START_NODES: _node_starts,
    StepName.START_CMC: _start_cmc,
    StepName.START_LOADER: lambda setting: _starts(setting.site, loader=True),
    StepName.START_ANALYTICS: lambda setting: _starts(setting.site, loader=False),
}
"""What runs at nodes; other steps speak to ZooKeeper, the database, the storage and the CMC by their protocols."""
