"""Stop the site that gives the role up, as far as it can be reached, and go on with it when it comes back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from incorta_provider.dr.epoch import Role, ensure_epoch
from incorta_provider.dr.plan import StepName
from incorta_provider.dr.site import Node
from incorta_provider.exceptions import DrError, FencingError, TransientError
from incorta_provider.steps.access import SiteAccess
from incorta_provider.steps.cutover.run import CutoverRun, Result
from incorta_provider.steps.fencing import NOT_FENCED, can_fence_database, fence_database
from incorta_provider.steps.roles import copy_role, role_at

log = logging.getLogger(__name__)

DATABASE = "database"


def fence_source(run: CutoverRun, source: SiteAccess, role: Role) -> Result:
    """Try every part of the source at the same time; return what is fenced, and why the rest is not.

    What a former try fenced is tried again: a site that lost its power since comes back with its services started.

    :param role: what the source's registry is told.
    """
    database: Result = {}
    parts = _parts(run, source, role, database)
    if (ahead := _knows_better(run, source, role)) is not None:
        reasons: dict[str, str | None] = dict.fromkeys(parts, ahead)
    else:
        with ThreadPoolExecutor(max_workers=len(parts)) as pool:
            reasons = dict(zip(parts, pool.map(attempt, parts.values()), strict=True))
    not_reached = {part: reason for part, reason in reasons.items() if reason is not None}
    return {
        "stopped": [part for part in parts if part not in not_reached],
        "not_reached": not_reached,
        "unfenced": bool(not_reached),
        "database": database or not_reached.get(DATABASE, NOT_FENCED),
    }


def _knows_better(run: CutoverRun, source: SiteAccess, role: Role) -> str | None:
    """Return why the source must be left alone: its own registry was told of a later change, and it may be active."""
    try:
        copy_role(run.access, source, role)
    except FencingError as error:
        return error.what
    except DrError as error:
        log.info("the registry of %s is not told yet: %s", source.name, error)
    return None


def fence_again(run: CutoverRun, source: SiteAccess, role: Role, known: Result) -> Result | None:
    """Go on with a fence that did not reach everything; record what it reached now, None when that was nothing.

    The first result is kept in the ledger.
    """
    facts = fence_source(run, source, role)
    if facts["unfenced"] and facts["stopped"] == known["stopped"]:
        return None
    result = {**known, **facts, "round": run.clear_number, "finished_at": run.access.clock().isoformat()}
    run.folder.record(StepName.FENCE, result)
    run.note("cutover.source.fenced_again", f"fence:again:{result['finished_at']}", facts)
    return result


def _parts(run: CutoverRun, source: SiteAccess, role: Role, database: Result) -> dict[str, Callable[[], object]]:
    key = run.script_key(StepName.FENCE)
    parts: dict[str, Callable[[], object]] = {"epoch registry": partial(copy_role, run.access, source, role)}
    for node in source.config.nodes:
        parts[f"services of {node.conn_id}"] = partial(stop_services, source, node, key)
    if can_fence_database(source):
        parts[DATABASE] = lambda: database.update(
            fence_database(run.access, source, run_id=run.run_id, by=role.changed_by)
        )
    return {name: partial(_while_it_holds, run, role, part) for name, part in parts.items()}


def _while_it_holds(run: CutoverRun, role: Role, part: Callable[[], object]) -> None:
    """Do a part unless the roles changed since: by then the source may be the active site again."""
    ensure_epoch(role.epoch, role_at(run.access, run.target), active=role.active)
    part()


def attempt(part: Callable[[], object]) -> str | None:
    """Return why a part failed; whatever it is, it keeps neither the other parts nor the cutover from going on."""
    try:
        part()
    except DrError as error:
        log.warning("not fenced: %s", error)
        return error.what
    except Exception as error:
        log.exception("a part of the source failed in a way of its own")
        return f"{type(error).__name__}: {error}"
    return None


def stop_services(site: SiteAccess, config: Node, run_id: str) -> None:
    """Stop what Incorta runs on one node, the services and the CMC at the same time, then the agent that knows them.

    "Stopped already" is a pass.

    :raises TransientError: says which parts are not stopped, and why; each of the others was stopped all the same.
    """
    with site.node(config, run_id) as node:
        parts: dict[str, Callable[[], None]] = {
            service: partial(node.stop_service, service) for service in reversed(config.services)
        }
        if config.conn_id == site.config.cmc.node:
            parts["CMC"] = node.stop_cmc
        with ThreadPoolExecutor(max_workers=max(1, len(parts))) as pool:
            reasons = dict(zip(parts, pool.map(attempt, parts.values()), strict=True))
        reasons["node agent"] = attempt(node.stop_node)
    failed = {part: reason for part, reason in reasons.items() if reason}
    if failed:
        raise TransientError(
            "not stopped: " + "; ".join(f"{part}: {reason}" for part, reason in failed.items()),
            where=f"node {config.conn_id}",
            fix="Stop it at the node by hand, then clear this task.",
        )
