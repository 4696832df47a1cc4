"""Quiesce the source of a planned cutover: nobody writes there any more, and nothing was cut off in the middle.

No public call pauses Incorta's scheduler, so the order is: wait until no load runs, stop every Loader, look again (a
load may have begun in between, and is then interrupted: Incorta must finish it first), then stop the rest, and switch
the database's own events off. The exit status of a stop script is no proof, so every port must refuse a connection
before this step is done.

:raises ApprovalError: the approval is absent, not valid or expired.
:raises TransientError: a load runs, or a part is not proven to be stopped; the task is retried.
:raises PreconditionError: a load was interrupted by the stop of its Loader.
:raises FencingError: the roles changed since the plan was made.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial

from incorta_provider.coordination.zookeeper import connect
from incorta_provider.dr.inventory import DISABLED
from incorta_provider.dr.plan import Plan, StepName, ensure_plan_fresh
from incorta_provider.dr.site import Node
from incorta_provider.exceptions import PreconditionError, TransientError
from incorta_provider.metadata.event_status import events_on, switch_events
from incorta_provider.services.analytics import LOADING, AnalyticsClient, SchemaStatus
from incorta_provider.services.ports import Port
from incorta_provider.steps.access import SiteAccess
from incorta_provider.steps.cutover.approve import approval_to_use
from incorta_provider.steps.cutover.lock import take_lock
from incorta_provider.steps.cutover.run import CutoverRun, Result
from incorta_provider.steps.readiness import services_of
from incorta_provider.steps.running import port_states
from incorta_provider.steps.site_stop import ensure_stopped, on_nodes, stop_site
from incorta_provider.storage.records.cutover_folder import CutoverFolder

log = logging.getLogger(__name__)


def quiesce(run: CutoverRun) -> Result:
    """Wait for loads to end, then stop the source in an order that leaves nothing half done."""

    def action(plan: Plan) -> Result:
        _ensure_approved(run, plan)
        source = run.access.site(plan.source)
        with connect(run.target.zookeeper) as session:
            take_lock(run, session)
        loads = _stop_loaders(run, source) if _can_tell_loads(source) else {}
        _stop_the_rest(run, source)
        events = _switch_events_off(run, source)
        return {"loads": loads, "stopped": [node.conn_id for node in source.config.nodes], "events": events}

    return run.perform(StepName.QUIESCE, action)


def _ensure_approved(run: CutoverRun, plan: Plan) -> None:
    """Users lose their service here: the approval must be there, and young, as it must be for the fence."""
    now = run.access.clock()
    approval_to_use(run, plan, now)
    ensure_plan_fresh(plan, now, timedelta(seconds=run.access.config.approval.timeout_seconds))


def _can_tell_loads(source: SiteAccess) -> bool:
    """Tell whether Analytics is there to be asked; a source that was stopped by hand runs no load.

    :raises PreconditionError: a Loader runs and Analytics does not: nobody can tell whether it is at work.
    """
    listening = [part for part, (state, _) in port_states(source).items() if state is Port.OPEN]
    if any(part.startswith("analytics") for part in listening):
        return True
    if loaders := [part for part in listening if part.startswith("loader")]:
        raise PreconditionError(
            f"{', '.join(loaders)} runs, and Analytics does not answer whether a load is under way",
            where=f"site {source.name}",
            fix="Start Analytics, or stop the Loaders yourself when no load runs; then clear this task.",
        )
    return False


def _stop_loaders(run: CutoverRun, source: SiteAccess) -> dict[str, str]:
    """Stop every Loader while no load runs, and return how the last load of each schema ended.

    A try that comes later is held against what the first one saw: a load that the first one interrupted stays one.
    """
    now = _loads(source)
    if busy := _busy(now):
        raise TransientError(
            f"a load runs: {busy}",
            where=f"site {source.name}",
            fix="It is waited for; end it in Incorta if it takes too long, then clear this task.",
        )
    before = run.folder.loads_before() or run.folder.keep_loads({name: str(status) for name, status in now.items()})
    key = run.script_key(StepName.QUIESCE)
    on_nodes(source.config.nodes, partial(_stop_loader, source, key))
    after = _loads(source)
    if cut_off := _busy(after) or ", ".join(_interrupted(before, after)):
        raise PreconditionError(
            f"a load began while the Loaders were stopped: {cut_off}",
            where=f"site {source.name}",
            fix="Start the Loaders, let it end, then clear this task; or give the cutover up.",
        )
    return {name: str(status) for name, status in after.items()}


def _interrupted(before: dict[str, str], after: dict[str, SchemaStatus]) -> list[str]:
    return [name for name, status in after.items() if status is SchemaStatus.INTERRUPTED != before.get(name)]


def _loads(source: SiteAccess) -> dict[str, SchemaStatus]:
    with AnalyticsClient.from_connection(source.analytics, source.config.analytics.tenant) as client:
        return {name: client.schema_status(name) for name in client.schemas()}


def _busy(loads: dict[str, SchemaStatus]) -> str:
    return ", ".join(f"{name} {status}" for name, status in loads.items() if status in LOADING)


def _stop_loader(source: SiteAccess, key: str, config: Node) -> None:
    with source.node(config, key) as node:
        for service in services_of(config, loader=True):
            node.stop_service(service)


def _stop_the_rest(run: CutoverRun, source: SiteAccess) -> None:
    stop_site(source, run.script_key(StepName.QUIESCE))
    ensure_stopped(source, fix="Stop it at the node by hand, then clear this task.")


def _switch_events_off(run: CutoverRun, source: SiteAccess) -> list[str]:
    """Switch the database's events off: they write without any service. Which were on is written down before.

    Those that a cutover before this one switched off, and that nobody switched on since, count as on.
    """
    others = [folder for folder, plan in CutoverFolder.all(run.target.catalog.root) if plan.source == source.name]
    known = {name for folder in others if not folder.is_closed() for name in folder.source_events()}
    names = sorted({*known, *run.folder.source_events(), *events_on(source.database)})
    run.folder.save_source_events(names)
    switch_events(source.database, names, DISABLED)
    return names
