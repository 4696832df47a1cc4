"""Give up a cutover that cannot be finished: the site that had the role keeps it, or gets it back.

Allowed until the target was promoted. The target's Incorta is stopped first when this cutover may have started it:
two sites must never run. Then the role changes under a new epoch, which stops what is left of the cutover; then every
registry that answers is told, the target gets the metadata back that the cutover replaced, and the database of the
source is opened. A source that a planned cutover stopped is started again, last. Repeating it does what could not be
done before. Where another cutover went on meanwhile, to another site, the target is told of that one, and nothing else
is touched: the site that it made active is never told that it lost the role.

:raises FencingError: the run is not promoting any site, or promoted one.
:raises TransientError: the target's ZooKeeper cannot be reached, or its Incorta cannot be stopped; nothing was changed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from incorta_provider.dr.epoch import Role, RoleState, abandoned_role, given_up, kept_role
from incorta_provider.dr.inventory import ENABLED
from incorta_provider.dr.plan import Plan, StepName
from incorta_provider.exceptions import DrError, FencingError
from incorta_provider.metadata.event_status import switch_events
from incorta_provider.metadata.restore import return_schema
from incorta_provider.metadata.switch_journal import read_switch
from incorta_provider.steps.access import GroupAccess
from incorta_provider.steps.cutover.run import CutoverRun, find_run
from incorta_provider.steps.cutover.traffic import return_traffic
from incorta_provider.steps.cutover.unfence import fences_as_before
from incorta_provider.steps.locking import give_back
from incorta_provider.steps.roles import change_role, knows_better, role_at, roles_that_answer, tell
from incorta_provider.steps.site_services import start_site
from incorta_provider.steps.site_stop import ensure_stopped, stop_site

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Abandoned:
    """A cutover that was given up.

    :ivar role: the role that holds now; that of another cutover where one went on meanwhile.
    :ivar not_told: sites whose registry did not take it, with the reason.
    :ivar metadata: what became of the target's metadata; empty when the cutover had not touched them.
    :ivar metadata_left: why they could not be given back; empty when they could.
    :ivar fences_left: which databases are not fenced or open as they were, and why.
    :ivar started: the site whose Incorta was started again; empty when that is left to a person.
    :ivar start_left: why it could not be started; empty when it could.
    :ivar traffic: what sends people to the old site again.
    :ivar traffic_left: what does not, with the reason.
    """

    role: Role
    target: str
    not_told: dict[str, str]
    metadata: str = ""
    metadata_left: str = ""
    fences_left: tuple[str, ...] = ()
    started: str = ""
    start_left: str = ""
    traffic: tuple[str, ...] = ()
    traffic_left: Mapping[str, str] = field(default_factory=dict)


def abort(access: GroupAccess, run_id: str, *, by: str) -> Abandoned:
    """Give one cutover up, and return who is active then."""
    run = find_run(access, run_id, by)
    plan = run.folder.plan()
    role, not_told = _role_back(run, plan)
    is_back = role.run_id == given_up(run_id)
    traffic, traffic_left = return_traffic(run) if is_back else ([], {})
    metadata, metadata_left = _return_metadata(run)
    fences_left = fences_as_before(run, access.site(role.active) if is_back else None)
    started, start_left = _start_source(run, plan) if is_back else ("", "")
    give_back(access, run.target, run_id)
    run.folder.mark_aborted()
    run.note("cutover.aborted", "aborted", {"epoch": role.epoch, "active": role.active, "not_told": not_told})
    if traffic:
        run.note("cutover.traffic.returned", f"traffic:{','.join(traffic)}", {"traffic": traffic})
    if metadata:
        run.note("cutover.metadata.returned", "metadata", {"schema": run.target.config.metadata.schema_name})
    if started:
        run.note("cutover.source.started", "source", {"site": started})
    log.info("cutover %s is given up: %s is active under epoch %d", run_id, role.active, role.epoch)
    return Abandoned(
        role,
        run.target.name,
        not_told,
        metadata=metadata,
        metadata_left=metadata_left,
        fences_left=tuple(fences_left),
        started=started,
        start_left=start_left,
        traffic=tuple(traffic),
        traffic_left=traffic_left,
    )


def _role_back(run: CutoverRun, plan: Plan) -> tuple[Role, dict[str, str]]:
    """Change the role, which stops what is left of the cutover, then tell every registry.

    A fence that comes in between makes the first look untrue; the second one sees it.
    """
    access = run.access
    change = partial(_given_up, run, plan, access.clock(), _others(run))
    if (known := role_at(access, run.target)) is not None:
        change(known)
    if StepName.COMPARE in run.folder.done():  # services start behind it
        _stop_target(run)
    try:
        role = change_role(access, run.target, change)
    except FencingError:
        role = change_role(access, run.target, change)
    if StepName.COMPARE in run.folder.done():  # a start that was under way may have ended since
        _stop_target(run)
        ensure_stopped(run.target, fix="The role is given back. Stop it at the node by hand, then repeat this.")
    if role.run_id != given_up(run.run_id):
        log.warning("%s is %s by %s under epoch %d: left alone", role.active, role.state, role.run_id, role.epoch)
        return role, {}
    return role, tell(access, [name for name in access.config.sites if name != run.target.name], role)


def _others(run: CutoverRun) -> list[Role]:
    """Return the changes by others that hold at other sites: what a site was told of itself, and what came to its end.

    A promotion that only a third site was told of may have been given up since.
    """
    roles = roles_that_answer(run.access)
    roles.pop(run.target.name, None)
    ours = {run.run_id, given_up(run.run_id)}
    return [
        role
        for name, role in roles.items()
        if role.run_id not in ours and (role.active == name or role.state is RoleState.STEADY)
    ]


def _given_up(run: CutoverRun, plan: Plan, at: datetime, others: Sequence[Role], role: Role) -> Role:
    """Return the role that holds then: of a planned cutover that only quiesced, the source's own, by a new epoch.

    :param others: changes that hold elsewhere; one that went on while this cutover was under way holds here too.
    """
    mine = role.run_id == run.run_id and role.state is RoleState.PROMOTING
    if run.folder.is_aborted() and any((role.epoch, role.run_id) == (each.epoch, each.run_id) for each in others):
        return role
    only_quiesced = plan.mode.loses_nothing and not mine and run.folder.progress().approved
    if mine and (better := [each for each in others if knows_better(each, role)]):
        return max(better, key=lambda each: each.epoch)
    if only_quiesced and role.epoch == plan.epoch and (later := [each for each in others if each.epoch > role.epoch]):
        return max(later, key=lambda each: each.epoch)
    if only_quiesced:
        return kept_role(role, active=plan.source, epoch=plan.epoch, by=run.actor, run_id=run.run_id, at=at)
    return abandoned_role(role, by=run.actor, run_id=run.run_id, at=at)


def _return_metadata(run: CutoverRun) -> tuple[str, str]:
    """Make the schema live again that the restore replaced. A database that is away holds up no abort."""
    folder = run.folder.schema_switch
    try:
        if read_switch(folder) is None:
            return "", ""
        return_schema(run.target.database, folder)
    except DrError as error:
        log.warning("the metadata of %s are not given back yet: %s", run.target.name, error)
        return "", str(error)
    return f"{run.target.name} has the metadata again that it had before the cutover", ""


def _start_source(run: CutoverRun, plan: Plan) -> tuple[str, str]:
    """Start a source again that this cutover stopped while it was in order; a lost one is started by a person."""
    if not plan.mode.loses_nothing:
        return "", ""
    source = run.access.site(plan.source)
    try:
        switch_events(source.database, run.folder.source_events(), ENABLED)
        start_site(source, f"abort {run.run_id} start {run.access.clock().isoformat()}")
    except DrError as error:
        log.warning("%s is not started again yet: %s", plan.source, error)
        return "", str(error)
    return plan.source, ""


def _stop_target(run: CutoverRun) -> None:
    key = f"abort {run.run_id} {run.access.clock().isoformat()}"
    stop_site(run.target, key)
